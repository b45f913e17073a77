import { expect, test } from 'vitest';

import { elementsOf } from '../support/batches.ts';
import { createDatabase } from '../support/database.ts';
import { createFeed } from '../support/feed.ts';
import { until } from '../support/poll.ts';
import { openCluster } from '../support/processes.ts';
import { accept, openReceiver } from '../support/receiver.ts';

const TOTAL = 6_000;
const MOST = 10;
/** Batches that are answered before the kill. */
const ANSWERED = 50;
/** A killed sender is replaced after its heartbeat timeout of 15 s and its lease of 8 s. */
const TAKEOVER_MS = 60_000;

test('a kill -9 of the worker while batches are sent loses nothing, keeps the order and repeats only what was not committed, never under the id of a batch with other contents', async () => {
  await using database = await createDatabase();
  await using cluster = await openCluster(database.url);
  let isKilled = false;
  await using receiver = await openReceiver((one, response) => {
    // What comes after these is open when the worker is killed, however late that is.
    if (isKilled || receiver.received.length <= ANSWERED) accept(one, response);
  });
  const [worker] = await Promise.all([cluster.startWorker(), cluster.startServer()]);
  const feed = createFeed(cluster, 'a');
  await feed.append(0, TOTAL);
  const batch = { max_entries: MOST, max_bytes: 1_048_576, max_wait_ms: 50 };
  const { id } = await cluster.consumer(receiver.url, { batch });
  await until(() => receiver.received.length > ANSWERED, { timeoutMs: 60_000 });
  await worker.killHard();
  isKilled = true;
  const before = receiver.received.flatMap(elementsOf).map(({ position }) => position);
  expect(before.length).toBeLessThan(TOTAL);
  const { position, ahead } = await cluster.settled(id);
  await cluster.startWorker();
  await cluster.caughtUp(id, TAKEOVER_MS);

  const arrived = receiver.received.flatMap(elementsOf);
  const counts = new Map<number, number>();
  const newest = new Map<string, number>();
  const outOfOrder: number[] = [];
  for (const one of arrived) {
    const count = counts.get(one.position) ?? 0;
    counts.set(one.position, count + 1);
    if (count > 0) continue;
    if (one.position < (newest.get(one.record) ?? 0)) outOfOrder.push(one.position);
    newest.set(one.record, one.position);
  }
  expect(counts.size).toBe(TOTAL);
  expect(outOfOrder).toEqual([]);
  const uncommitted = new Set(before.filter((one) => one > position && !ahead.has(one)));
  const repeated = [...counts].filter(([, count]) => count > 1).map(([one]) => one);
  expect(repeated.length).toBeGreaterThan(0);
  expect(repeated.filter((one) => !uncommitted.has(one))).toEqual([]);

  const contents = new Map<string, string>();
  for (const one of receiver.received) {
    expect(contents.get(one.id) ?? one.body).toBe(one.body);
    contents.set(one.id, one.body);
  }
}, 300_000);

import { expect, test } from 'vitest';

import { createDatabase } from '../support/database.ts';
import { until } from '../support/poll.ts';
import { openCluster, type Cluster } from '../support/processes.ts';
import { accept, openReceiver, type Received } from '../support/receiver.ts';

const CONSUMERS = 40;
/** At the kill these have had their answer, and the others wait for it. */
const ANSWERED = CONSUMERS / 2;
/** A dead lane is replaced after its heartbeat timeout of 15 s, and its lease lasts 10 s. */
const TAKEOVER_MS = 90_000;

async function append(cluster: Cluster, name: string): Promise<void> {
  const events = Array.from({ length: CONSUMERS }, (_, index) => ({
    sync_id: `s-${index}`,
    collection_id: 'shop:order',
    upstream_id: name,
    event: 'created',
    data: { name },
  }));
  await cluster.request('POST', '/v1/events', { events });
}

test('a kill -9 of a worker with lanes loses nothing, and repeats only what was not committed', async () => {
  await using database = await createDatabase();
  await using receiver = await openReceiver();
  await using cluster = await openCluster(database.url, {
    MILLRACE_VISIT_LANES: '1',
    MILLRACE_IDLE_AFTER: '1s',
  });
  await cluster.startServer();
  const worker = await cluster.startWorker();
  const ids: string[] = [];
  for (let index = 0; index < CONSUMERS; index += 1) {
    ids.push((await cluster.consumer(receiver.url, { syncs: [`s-${index}`], start: 'end' })).id);
  }
  await append(cluster, 'first');
  await until(() => receiver.received.length === CONSUMERS, { timeoutMs: 60_000 });

  receiver.respond = (one, response) => {
    if (numberOf(one) < ANSWERED) accept(one, response);
  };
  await append(cluster, 'second');
  const second = await until(
    () => receiver.received.length === 2 * CONSUMERS && receiver.received.slice(CONSUMERS),
    { timeoutMs: 60_000 },
  );
  await until(async () => (await stored(cluster, ids, second)).size > 0, { timeoutMs: 60_000 });
  await worker.killHard();
  receiver.respond = accept;
  const kept = await stored(cluster, ids, second);
  expect(kept.size).toBeLessThan(CONSUMERS);
  await cluster.startWorker();
  for (const id of ids) await cluster.caughtUp(id, TAKEOVER_MS);

  const times = Map.groupBy(receiver.received, ({ position }) => position);
  expect(times.size).toBe(2 * CONSUMERS);
  const repeated = [...times].filter(([, some]) => some.length > 1);
  expect(repeated.length).toBeGreaterThan(0); // what was open at the kill
  expect(repeated.filter(([position]) => kept.has(position))).toEqual([]);
  for (const [, some] of repeated) {
    expect(some).toHaveLength(2);
    expect(new Set(some.map(({ id }) => id)).size).toBe(1);
  }
}, 300_000);

/** Which consumer it is for. */
function numberOf({ body }: Received): number {
  const { event } = JSON.parse(body) as { event: { sync_id: string } };
  return Number(event.sync_id.slice(2));
}

/** Positions of those that are settled in Postgres. */
async function stored(cluster: Cluster, ids: string[], received: Received[]): Promise<Set<number>> {
  const settled = await Promise.all(ids.map((id) => cluster.settled(id)));
  const isStored = (one: Received): boolean =>
    (settled[numberOf(one)]?.position ?? 0) >= one.position;
  return new Set(received.filter(isStored).map(({ position }) => position));
}

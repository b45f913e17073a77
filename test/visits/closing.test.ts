import { expect, test } from 'vitest';

import { until } from '../support/poll.ts';
import { accept, openReceiver } from '../support/receiver.ts';
import { openWorld, someEvents } from '../support/world.ts';

/** As in src/temporal/drains.ts: when the lane begins to close, its lease ends at most this much later. */
const LEASE_MS = 10_000;

test.concurrent('a lane that closes keeps its lease for as long as a request is open', async () => {
  await using world = await openWorld({ visitLanes: 1 });
  await using receiver = await openReceiver();
  const answered = Promise.withResolvers<void>();
  receiver.respond = (one, response) => void answered.promise.then(() => accept(one, response));
  const target = await world.target(receiver.url);
  const id = await world.consumer(target, { syncs: ['a'], start: 'end' });
  await world.append.events(someEvents(1, { syncId: 'a' }));
  await until(() => receiver.received.length === 1);
  const stopped = world.stopWorker();
  // It renews its lease again and again; the request would time out after 15 s.
  const leased = async () => {
    const { rows } = await world.db.query<{ until: string }>(
      'select lease_until as until from visit_lanes',
    );
    expect(rows).toHaveLength(1);
    return Date.parse(rows[0]!.until);
  };
  const first = await leased();
  await until(async () => (await leased()) > first + LEASE_MS / 2);
  answered.resolve();
  await stopped;
  await world.startWorker();
  expect(await world.caughtUp(id)).toMatchObject({ status: 'active' });
  expect(receiver.received).toHaveLength(1);
}, 60_000);

test.concurrent('a lane that closes waits for a hanging request no longer than its timeout', async () => {
  await using world = await openWorld({ visitLanes: 1 });
  await using receiver = await openReceiver();
  receiver.respond = () => undefined;
  const target = await world.target(receiver.url, { timeout_ms: 2_000 });
  await world.consumer(target, { syncs: ['a'], start: 'end' });
  await world.append.events(someEvents(1, { syncId: 'a' }));
  await until(() => receiver.received.length === 1);
  await world.stopWorker();
  const { rows } = await world.db.query('select id from visit_lanes');
  expect(rows).toEqual([]);
}, 60_000);

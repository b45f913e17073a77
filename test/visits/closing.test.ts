import { expect, test } from 'vitest';

import { until } from '../support/poll.ts';
import { accept, openReceiver } from '../support/receiver.ts';
import { openWorld, someEvents } from '../support/world.ts';

/** As in src/temporal/drains.ts. */
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
  const from = performance.now();
  await until(() => performance.now() - from > LEASE_MS + 1_000, { timeoutMs: LEASE_MS + 5_000 });
  const { rows } = await world.db.query<{ held: boolean }>(
    'select lease_until > clock_timestamp() as held from visit_lanes',
  );
  answered.resolve();
  await stopped;
  expect(rows).toEqual([{ held: true }]);
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

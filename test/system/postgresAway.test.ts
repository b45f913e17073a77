import { expect, test } from 'vitest';

import { createDatabase } from '../support/database.ts';
import { createFeed, tally } from '../support/feed.ts';
import { until } from '../support/poll.ts';
import { openCluster } from '../support/processes.ts';
import { createProxy } from '../support/proxy.ts';
import { accept, openReceiver } from '../support/receiver.ts';
import { openWorld, someEvents } from '../support/world.ts';

/** Of a drain. */
const LEASE_MS = 8_000;

test.concurrent('while Postgres is away sending stops, outcomes are kept and no endpoint is blamed, and afterwards it continues without a repetition', async () => {
  await using world = await openWorld({ proxied: true });
  await using receiver = await openReceiver(
    (one, response) => void setTimeout(() => accept(one, response), 3),
  );
  await world.append.events(someEvents(4_000));
  const target = await world.target(receiver.url, { max_in_flight: 10 });
  const consumer = await world.consumer(target, { start: 'beginning' });
  await until(() => receiver.received.length > 500);

  const awayFrom = performance.now();
  world.postgres?.setAway(true);
  const api = await world.api.request('GET', `/v1/consumers/${consumer}`);
  expect([api.status, api.body.code]).toEqual([503, 'database_unavailable']);
  expect(api.headers.get('retry-after')).not.toBeNull();
  expect((await world.api.request('GET', '/healthz')).status).toBe(200);
  // What may still be sent is what was in flight until the first commit failed.
  let last = -1;
  await until(() => {
    const still = receiver.received.length === last;
    last = receiver.received.length;
    return new Promise<boolean>((resolve) => setTimeout(() => resolve(still), 500));
  });
  expect(receiver.received.length).toBeLessThan(4_000);

  world.postgres?.setAway(false);
  const isLost = performance.now() - awayFrom > LEASE_MS / 2; // then what was kept may be sent again
  const state = await until(
    async () => {
      const now = await world.get(consumer);
      return now.lag.entries === 0 && now;
    },
    { timeoutMs: 90_000 },
  );
  expect(state).toMatchObject({ status: 'active', failing_since: null });
  expect(new Set(receiver.received.map((one) => one.position)).size).toBe(4_000);
  if (!isLost) expect(receiver.received).toHaveLength(4_000);
  const { rows } = await world.db.query(
    `select from attempts where outcome = 'failed' or attempt > 1`,
  );
  expect(rows).toEqual([]);
});

test.concurrent('while Temporal is away reading and creating work, and commands answer 503 and work when they are repeated', async () => {
  await using world = await openWorld({ proxied: true });
  await using receiver = await openReceiver();
  const target = await world.target(receiver.url);
  world.temporal?.setAway(true);
  const created = await world.api.request('POST', '/v1/consumers', {
    name: 'made while away',
    target_id: target,
    stream: 'events',
  });
  expect(created.status).toBe(201);
  const { id } = created.body as { id: string };
  await world.append.events(someEvents(3));
  const key = { 'idempotency-key': 'once' };
  const refused = await world.api.request('POST', `/v1/consumers/${id}/pause`, undefined, key);
  expect([refused.status, refused.body.code]).toEqual([503, 'temporal_unavailable']);
  expect(refused.headers.get('retry-after')).not.toBeNull();
  expect((await world.api.request('GET', `/v1/consumers/${id}`)).body.status).toBe('active');

  world.temporal?.setAway(false);
  await until(() => receiver.received.length === 3);
  const paused = await until(
    async () => {
      const again = await world.api.request('POST', `/v1/consumers/${id}/pause`, undefined, key);
      return again.status === 200 && again;
    },
    { timeoutMs: 60_000 },
  );
  expect(paused.body.status).toBe('paused');
}, 180_000);

test.concurrent('without a worker that polls, commands answer 503, and a command that is repeated takes effect once', async () => {
  await using world = await openWorld({ worker: false });
  await using receiver = await openReceiver();
  const consumer = await world.consumer(await world.target(receiver.url));
  const key = { 'idempotency-key': 'once' };
  const pause = () => world.api.request('POST', `/v1/consumers/${consumer}/pause`, undefined, key);
  const at = performance.now();
  const { status, body } = await pause();
  expect([status, body.code]).toEqual([503, 'temporal_unavailable']);
  expect(performance.now() - at).toBeLessThan(40_000); // 20 s, on a loaded machine, too
  await world.startWorker();
  const repeated = await pause();
  expect([repeated.status, repeated.body.status]).toEqual([200, 'paused']);
  const { rows } = await world.db.query(`select from changes where action = 'paused'`);
  expect(rows).toHaveLength(1);
}, 180_000);

test.concurrent('processes that are stopped while Postgres is away end in time, the worker says what may be sent again, and nothing is lost', async () => {
  await using database = await createDatabase();
  await using postgres = await createProxy(database.url);
  await using cluster = await openCluster(postgres.url);
  await using receiver = await openReceiver();
  const [worker, server] = await Promise.all([cluster.startWorker(), cluster.startServer()]);
  const { id } = await cluster.consumer(receiver.url);
  const feed = createFeed(cluster, 'a');
  const appending = feed.append(0, 5_000);
  await until(() => receiver.received.length > 500);

  postgres.setAway(true);
  await until(() => worker.stderr().includes('Postgres is not available'));
  const at = performance.now();
  const took = (code: number | null) => ({ code, ms: performance.now() - at });
  const [api, sender] = await Promise.all([server.stop().then(took), worker.stop().then(took)]);
  expect([api.code, sender.code]).toEqual([0, 1]);
  expect(api.ms).toBeLessThan(30_000); // as docs/operating.md says, and its start on a loaded machine
  expect(sender.ms).toBeLessThan(60_000);
  const said = worker.stderr().split('\n');
  const last = said.find((line) => line.includes('worker has stopped')) ?? '';
  expect(JSON.parse(last)).toMatchObject({
    level: 'error',
    msg: 'the worker has stopped, but Postgres was not available: what these consumers sent last is not stored and may be sent again',
    consumers: [id],
  });

  postgres.setAway(false);
  await Promise.all([cluster.startWorker(), cluster.startServer()]);
  await appending;
  await cluster.caughtUp(id, 90_000);
  const { missing, repeated, outOfOrder } = tally(receiver, [feed]);
  expect({ missing, outOfOrder }).toEqual({ missing: [], outOfOrder: [] });
  expect(repeated.length).toBeGreaterThan(0); // it was honest
}, 300_000);

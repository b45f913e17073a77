import pino from 'pino';
import { expect, test } from 'vitest';

import { reconcile } from '../../src/temporal/reconcile.ts';
import { isRefusal } from '../../src/temporal/workflowClient.ts';
import { createPacedQueue } from '../../src/wake/pacedQueue.ts';
import { IS_LONG } from '../support/long.ts';
import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';
import { watchSlowness } from '../support/slowness.ts';
import { openWorld, someEvents, type World } from '../support/world.ts';

/** Of wakes at the moment at which a drain ends. */
const ROUNDS = IS_LONG ? 60 : 24;

/** `count` idle consumers, each of its own sync `s-<n>`. */
async function idleConsumers(
  world: World,
  url: string,
  count: number,
  total = count,
): Promise<void> {
  const model = await world.consumer(await world.target(url), { syncs: ['s-0'] });
  await world.db.query({
    text: `
      with made as (
        insert into consumers (id, name, target_id, stream, path, ordering, alert_emails, metadata, region,
                               status, filter_version, version, created_at, updated_at)
        select gen_random_uuid(), 'idle ' || n, target_id, stream, path, ordering, alert_emails, metadata,
               region, status, 1, 1, created_at, updated_at
          from consumers, generate_series(1, $2::int - 1) n where id = $1
        returning id, name
      ), filters as (
        insert into filter_versions (consumer_id, version, filter_from, syncs, collections, event_types)
        select id, 1, 0, array['s-' || substr(name, 6)], '{*}', '{*}' from made
      )
      insert into cursors (consumer_id, position, idle) select id, 0, true from made`,
    values: [model, count],
  });
  await watched(world, total);
}

/** Starts the workflows of all `total` consumers, as the reconciler does. */
async function withWorkflows(world: World, total: number): Promise<void> {
  const { db, client, workflows } = world;
  const log = pino({ level: 'silent' });
  const queue = createPacedQueue({ isRefusal, log });
  await until(
    async () => {
      await reconcile({ db, client, start: workflows.start, queue, log });
      const { count: running } = await client.workflow.count(
        `TaskQueue = '${world.taskQueue}' and ExecutionStatus = 'Running' and ConsumerStatus = 'active'`,
      );
      return running >= total;
    },
    { timeoutMs: 60_000, what: `${total} workflows run` },
  );
  await queue.close();
}

async function watched(world: World, count: number): Promise<void> {
  await until(
    async () => {
      const { rows } = await world.db.query<{ count: number }>(
        'select count(*)::int as count from cursors where idle and indexed_epoch is not null and holder is null',
      );
      return rows[0]?.count === count;
    },
    { timeoutMs: 60_000, what: `${count} consumers are idle and watched` },
  );
}

async function statements(world: World): Promise<number> {
  const { rows } = await world.db.query<{ n: number }>(
    `select xact_commit::int as n from pg_stat_database where datname = current_database()`,
  );
  return rows[0]?.n ?? 0;
}

/** Transactions of the whole world while the leader polls `rounds` times. */
async function whileIdle(world: World): Promise<number> {
  const before = await statements(world);
  const at = performance.now();
  await until(() => performance.now() - at > 3_000);
  return (await statements(world)) - before;
}

test('1,000 idle consumers run nothing and cost no queries of their own, and a match reaches one immediately', async () => {
  await using world = await openWorld({ idleAfterMs: 100 });
  await using receiver = await openReceiver();
  await idleConsumers(world, receiver.url, 10);
  const few = await whileIdle(world);
  await idleConsumers(world, receiver.url, 990, 1_000);
  // Several times, as a slow machine may not be through with creating them.
  let many = Infinity;
  for (let round = 1; many >= few + 100 && round <= 5; round += 1) many = await whileIdle(world);
  process.stderr.write(`transactions in 3 s: ${few} for 10 idle consumers, ${many} for 1,000\n`);
  expect(many).toBeLessThan(few + 100);

  const waits: number[] = [];
  for (let round = 1; round <= 5; round += 1) {
    using slow = watchSlowness(() => world.client.workflowService.getSystemInfo({}));
    const at = performance.now();
    await world.append.events(someEvents(1, { syncId: `s-${round * 7}` }));
    await until(() => receiver.received.length > waits.length);
    waits.push((receiver.received.at(-1)?.at ?? 0) - at - slow.ms());
  }
  process.stderr.write(
    `append → received of an idle one, ms: ${waits.map(Math.round).join(', ')}\n`,
  );
  expect(Math.min(...waits)).toBeLessThan(1_000);
}, 300_000);

test('100 consumers with a match at the same moment all wake and deliver', async () => {
  await using world = await openWorld({ idleAfterMs: 60_000 });
  await using receiver = await openReceiver();
  await idleConsumers(world, receiver.url, 100);
  await withWorkflows(world, 100);
  const at = performance.now();
  await world.append.events(
    Array.from({ length: 100 }, (_, n) => someEvents(1, { syncId: `s-${n}` })).flat(),
  );
  await until(() => receiver.received.length >= 100, { timeoutMs: 60_000 });
  const ms = performance.now() - at;
  process.stderr.write(`100 wakes in ${Math.round(ms)} ms: ${Math.round(100_000 / ms)} a second\n`);
  expect(receiver.received).toHaveLength(100);
}, 240_000);

test('a wake that crosses the end of a drain is not lost', async () => {
  await using world = await openWorld({ idleAfterMs: 30 });
  await using receiver = await openReceiver();
  await world.consumer(await world.target(receiver.url));
  for (let round = 1; round <= ROUNDS; round += 1) {
    await world.append.events(someEvents(1));
    await until(() => receiver.received.length >= round);
    // A different moment each round, around the 30 ms after which the drain ends.
    const moment = performance.now() + (round % 12) * 10;
    await until(() => performance.now() >= moment);
  }
  expect(receiver.received.map((one) => one.position)).toEqual(
    Array.from({ length: ROUNDS }, (_, n) => n + 1),
  );
}, 180_000);

test('a leader that ends is replaced by another process, and nothing that it watched for is lost', async () => {
  await using world = await openWorld({ idleAfterMs: 50 });
  await using receiver = await openReceiver();
  await idleConsumers(world, receiver.url, 5);
  await world.stopWorker();
  await world.append.events(someEvents(1, { syncId: 's-3' }));
  await world.startWorker();
  await until(() => receiver.received.length === 1);
  await world.append.events(someEvents(1, { syncId: 's-4' }));
  await until(() => receiver.received.length === 2);
  expect(receiver.received.map((one) => one.position)).toEqual([1, 2]);
});

test('a drain that is requested while nothing is appended counts as run once it has found nothing', async () => {
  await using world = await openWorld({ idleAfterMs: 50 });
  await using receiver = await openReceiver();
  const id = await world.consumer(await world.target(receiver.url));
  await world.append.events(someEvents(1));
  await until(() => receiver.received.length === 1);
  await watched(world, 1);
  const before = await drainsOf(world, id);
  await world.handle(id).signal<[unknown]>('wake', 2); // as when a lane hands it over
  await until(async () => (await drainsOf(world, id)).ended > before.ended);
  const from = performance.now();
  await until(() => performance.now() - from > 2_000); // in which 40 of them would end
  expect(await drainsOf(world, id)).toEqual({ begun: before.begun + 1, ended: before.begun + 1 });
  await world.append.events(someEvents(1, { from: 1 }));
  await until(() => receiver.received.length === 2);
}, 60_000);

/** How many drains a consumer's workflow has begun, and how many of them have ended. */
async function drainsOf(world: World, id: string): Promise<{ begun: number; ended: number }> {
  const { events } = await world.handle(id).fetchHistory();
  const begun = (events ?? []).flatMap(({ eventId, activityTaskScheduledEventAttributes: one }) =>
    one?.activityType?.name === 'drain' ? [String(eventId)] : [],
  );
  const ended = (events ?? []).filter(({ activityTaskCompletedEventAttributes: one }) =>
    begun.includes(String(one?.scheduledEventId)),
  );
  return { begun: begun.length, ended: ended.length };
}

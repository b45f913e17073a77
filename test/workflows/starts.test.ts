// the workflows of new consumers: what is served before they run, and when they are started
import pino from 'pino';
import { expect, test } from 'vitest';

import { unstartedConsumers } from '../../src/consumers/consumerRows.ts';
import { openDb } from '../../src/db/db.ts';
import { createListener } from '../../src/db/listener.ts';
import { startFirstStarts } from '../../src/temporal/firstStarts.ts';
import { fewerRun, reconcile } from '../../src/temporal/reconcile.ts';
import { isRefusal, type Workflows } from '../../src/temporal/workflowClient.ts';
import { createPacedQueue } from '../../src/wake/pacedQueue.ts';
import { openConsumersApi } from '../support/consumers.ts';
import { createDatabase, PATIENT } from '../support/database.ts';
import { until } from '../support/poll.ts';
import { openCluster } from '../support/processes.ts';
import { openReceiver } from '../support/receiver.ts';
import { openWorld, someEvents, type World } from '../support/world.ts';

/** Creates a consumer as a client does, with no workflow beside what the leader starts. */
async function create(world: World, target: string, more: object): Promise<string> {
  const fields = { name: 'new', target_id: target, stream: 'events', ...more };
  const { status, body } = await world.api.request('POST', '/v1/consumers', fields);
  expect(status).toBe(201);
  return body.id as string;
}

/** Whether the consumer has a workflow, ended or not. */
function hasWorkflow(world: World, id: string): Promise<boolean> {
  const described = world.handle(id).describe();
  return described.then(
    () => true,
    () => false,
  );
}

async function isStarted(world: World, id: string): Promise<boolean> {
  const { rows } = await world.db.query<{ started: boolean }>({
    text: 'select started from consumers where id = $1',
    values: [id],
  });
  return rows[0]?.started === true;
}

const activitiesOf = async (world: World, id: string): Promise<string[]> => {
  const { events } = await world.handle(id).fetchHistory();
  return (events ?? []).flatMap((event) => {
    const name = event.activityTaskScheduledEventAttributes?.activityType?.name;
    return name == null ? [] : [name];
  });
};

test('with lanes a new consumer is served before its workflow runs, and the workflow then rests', async () => {
  const gate = Promise.withResolvers<void>();
  await using world = await openWorld({ visitLanes: 1, startsAfter: gate.promise });
  await using receiver = await openReceiver();
  const target = await world.target(receiver.url);
  await world.append.events(someEvents(2, { syncId: 'old' }));
  const first = await create(world, target, { syncs: ['old'], start: 'beginning' });
  await until(() => receiver.received.length === 2);
  const second = await create(world, target, { syncs: ['new'] });
  await world.append.events(someEvents(1, { syncId: 'new' }));
  await until(() => receiver.received.length === 3);
  for (const id of [first, second]) {
    expect((await world.caughtUp(id)).status).toBe('active');
    expect(await hasWorkflow(world, id)).toBe(false);
  }

  gate.resolve();
  for (const id of [first, second]) await until(() => isStarted(world, id));
  await world.append.events([
    ...someEvents(1, { syncId: 'old', from: 9 }),
    ...someEvents(1, { syncId: 'new', from: 9 }),
  ]);
  await until(() => receiver.received.length === 5);
  for (const id of [first, second]) {
    expect(await activitiesOf(world, id)).toEqual([]);
    const { searchAttributes, memo } = await world.handle(id).describe();
    const { host } = new URL(receiver.url);
    const { target_id: target, name } = await world.get(id);
    expect(searchAttributes).toMatchObject({
      ConsumerStatus: ['active'],
      TargetHost: [host],
      TargetId: [target],
    });
    expect(memo).toMatchObject({
      consumer: name,
      console: `http://127.0.0.1:4600/consumers/${id}`,
    });
  }
});

test('without lanes a new consumer for which entries wait is woken by a signal that starts its workflow', async () => {
  const gate = Promise.withResolvers<void>();
  await using world = await openWorld({ startsAfter: gate.promise });
  await using receiver = await openReceiver();
  const target = await world.target(receiver.url);
  await world.append.events(someEvents(2));
  const id = await create(world, target, { start: 'beginning' });
  await until(() => receiver.received.length === 2);
  await until(() => isStarted(world, id));
  const later = await create(world, target, { syncs: ['later'] });
  await world.append.events(someEvents(1, { syncId: 'later' }));
  await until(() => receiver.received.length === 4); // both consumers get it
  expect(await isStarted(world, later)).toBe(true);
  gate.resolve();
});

test('commands given before the workflow runs start it, and are in force when they are answered', async () => {
  const gate = Promise.withResolvers<void>();
  await using world = await openWorld({ visitLanes: 1, startsAfter: gate.promise });
  await using receiver = await openReceiver();
  const target = await world.target(receiver.url);
  const ids: string[] = [];
  for (const sync of ['paused', 'edited', 'moved', 'deleted'])
    ids.push(await create(world, target, { syncs: [sync] }));
  const [paused = '', edited = '', moved = '', deleted = ''] = ids;
  await world.append.events(someEvents(1, { syncId: 'moved' }));
  await until(() => receiver.received.length === 1);

  const ask = (method: string, path: string, body?: object) =>
    world.api.request(method, `/v1/consumers/${path}`, body);
  expect((await ask('POST', `${paused}/pause`)).body).toMatchObject({ status: 'paused' });
  expect((await ask('POST', `${edited}/filter`, { add: { syncs: ['added'] } })).body).toMatchObject(
    { syncs: ['edited', 'added'], filter_version: 2 },
  );
  expect((await ask('POST', `${moved}/seek`, { to: 'beginning' })).status).toBe(200);
  expect((await ask('DELETE', deleted)).status).toBe(204);

  await world.append.events(
    ['paused', 'added', 'deleted'].flatMap((syncId) => someEvents(1, { syncId })),
  );
  await until(() => receiver.received.length === 3); // the first one again, and `added`
  expect((await world.get(paused)).status).toBe('paused');
  gate.resolve();
  for (const id of [paused, edited, moved]) expect(await isStarted(world, id)).toBe(true);
  await until(async () => (await unstartedConsumers(world.db, 10)).length === 0);
  expect((await ask('POST', `${paused}/resume`)).body).toMatchObject({ status: 'active' });
  await until(() => receiver.received.length === 4);
  expect(receiver.received).toHaveLength(4);
});

test('while Temporal is away consumers are created and served, and their workflows start when it is back', async () => {
  await using world = await openWorld({ visitLanes: 1, proxied: true });
  await using receiver = await openReceiver();
  const target = await world.target(receiver.url);
  const before = await create(world, target, { syncs: ['before'] });
  await world.append.events(someEvents(1, { syncId: 'before' }));
  await until(() => receiver.received.length === 1); // a lane runs
  await until(() => isStarted(world, before));
  world.temporal?.setAway(true);
  const id = await create(world, target, { syncs: ['a'] });
  await world.append.events(someEvents(1, { syncId: 'a' }));
  await until(() => receiver.received.length === 2);
  expect(await isStarted(world, id)).toBe(false);
  world.temporal?.setAway(false);
  await until(() => isStarted(world, id), { timeoutMs: 60_000 });
  expect(await hasWorkflow(world, id)).toBe(true);
}, 120_000);

test('a consumer whose API is killed after its answer gets its workflow all the same', async () => {
  await using database = await createDatabase();
  await using cluster = await openCluster(database.url);
  const server = await cluster.startServer();
  await using receiver = await openReceiver();
  const { id } = await cluster.consumer(receiver.url);
  await server.killHard();
  await cluster.startWorker();
  await using db = openDb({ url: database.url, ...PATIENT, onError: () => undefined });
  await until(async () => (await unstartedConsumers(db, 1)).length === 0, { timeoutMs: 60_000 });
  const { rows } = await db.query<{ started: boolean }>({
    text: 'select started from consumers where id = $1',
    values: [id],
  });
  expect(rows).toEqual([{ started: true }]);
}, 240_000);

test('workflows are started in the order of creation, after wakes, and only a bounded number ahead of those that run', async () => {
  await using opened = await openConsumersApi();
  const { db } = opened.api;
  const log = pino({ level: 'silent' });
  const queue = createPacedQueue({ isRefusal, log });
  await using scope = new AsyncDisposableStack();
  const listener = createListener({ url: opened.databaseUrl, log });
  scope.defer(() => listener.close());
  const ids: string[] = [];
  for (let count = 0; count < 100; count += 1) ids.push((await opened.create()).id as string);

  const calls: string[] = [];
  const first = Promise.withResolvers<void>();
  const start: Workflows['start'] = async (id, known) => {
    calls.push(id);
    expect(known).toMatchObject({
      region: 'us-west-2',
      targetName: expect.any(String),
      activeAt: { targetHost: 'example.com' },
    });
    await first.promise;
  };
  let leads = false;
  const starts = startFirstStarts({ db, listener, start, queue, leads: () => leads, log });
  scope.defer(async () => {
    first.resolve();
    await starts.close();
    await queue.close();
  });
  leads = true;
  await until(() => calls.length === queue.reading.limit);
  queue.put({ key: 'wake', isRepetition: false, act: async () => void calls.push('wake') });
  const before = calls.length;
  first.resolve();
  await until(() => calls.length === 65); // 64 of them, as none is noted as begun
  expect(calls.indexOf('wake')).toBe(before);
  expect(calls.filter((call) => call !== 'wake')).toEqual(ids.slice(0, 64));

  await db.query({
    text: 'update consumers set started = true where id = any($1)',
    values: [ids.slice(0, 50)],
  });
  await until(() => calls.length === 101);
  expect(calls.filter((call) => call !== 'wake')).toEqual(ids);
  expect(new Set(calls).size).toBe(101); // none is started twice
});

test('a workflow that was lost is started again, in the region of its consumer', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const id = await world.consumer(await world.target(receiver.url));
  await until(() => isStarted(world, id));
  const { db, client, taskQueue } = world;
  await until(async () => !(await fewerRun({ db, client, taskQueue })));
  await world.stopWorker();
  await world.handle(id).terminate('lost');
  const log = pino({ level: 'silent' });
  const queue = createPacedQueue({ isRefusal, log });
  const asked: unknown[] = [];
  const start: Workflows['start'] = async (...given) => void asked.push(given);
  await until(() => fewerRun({ db, client, taskQueue }));
  await until(async () => (await reconcile({ db, client, start, queue, log })) === 1);
  await until(() => asked.length > 0);
  await queue.close();
  expect(asked[0]).toMatchObject([id, { region: 'test', targetName: expect.any(String) }]);
});

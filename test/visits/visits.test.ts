import type { ServerResponse } from 'node:http';

import { expect, test } from 'vitest';

import { historyLength } from '../support/historyLength.ts';
import { until } from '../support/poll.ts';
import { accept, answer, openReceiver } from '../support/receiver.ts';
import { openWorld, someEvents, type World } from '../support/world.ts';

interface Cursor {
  idle: boolean;
  visited: boolean;
  epoch: number;
  position: number;
  watched: boolean;
}

async function cursorOf(world: World, id: string): Promise<Cursor> {
  const { rows } = await world.db.query<Cursor>({
    text: `
      select idle, visited, epoch, position, indexed_epoch is not null as watched
        from cursors where consumer_id = $1`,
    values: [id],
  });
  if (rows[0] === undefined) throw new Error(`no cursor of ${id}`);
  return rows[0];
}

/** A consumer of one sync that starts at the end, once the leader watches it. */
async function quiet(world: World, target: string, sync: string, more = {}): Promise<string> {
  const id = await world.consumer(target, { syncs: [sync], start: 'end', ...more });
  await until(async () => (await cursorOf(world, id)).watched);
  return id;
}

test('a quiet consumer is visited: its entries arrive, its workflow takes no step, and it is watched again', async () => {
  await using world = await openWorld({ visitLanes: 1, idleAfterMs: 300 });
  await using receiver = await openReceiver();
  const id = await quiet(world, await world.target(receiver.url), 'a');
  let before = 0;
  for (let round = 1; round <= 3; round += 1) {
    await world.append.events(someEvents(1, { syncId: 'a', from: round }));
    await until(() => receiver.received.length === round);
    await until(async () => (await cursorOf(world, id)).watched);
    if (round === 1) before = await historyLength(world, id);
  }
  expect(await historyLength(world, id)).toBe(before);
  expect((await world.caughtUp(id)).status).toBe('active');
  expect(await cursorOf(world, id)).toMatchObject({ idle: true, visited: false, epoch: 3 });
});

test('while a consumer is visited, the API says by which lane and at which position, and the page of the workflow names the lanes', async () => {
  await using world = await openWorld({ visitLanes: 1 });
  await using receiver = await openReceiver();
  const id = await quiet(world, await world.target(receiver.url), 'a');
  expect((await world.get(id)).sender).toBeNull();
  await world.append.events(someEvents(3, { syncId: 'a' }));
  await until(() => receiver.received.length === 3);
  const shown = await world.caughtUp(id);
  expect(shown).toMatchObject({ position: 3, sender: { activity: 'visit', lane: 0 } });
  const { raw } = await world.client.workflow
    .getHandle(`visits/${world.taskQueue}-deliver`)
    .describe();
  const [lane] = raw.pendingActivities ?? [];
  expect(lane?.lastWorkerIdentity).toBe(shown.sender?.process);
  const page = await world
    .handle(id)
    .query<{ currentDetails: string }>('__temporal_workflow_metadata');
  expect(page.currentDetails).toContain(`a lane of workflow \`visits/${world.taskQueue}-deliver\``);
});

test('many quiet consumers get an entry each at the same time, once', async () => {
  await using world = await openWorld({ visitLanes: 2, idleAfterMs: 1_000 });
  await using receiver = await openReceiver();
  const target = await world.target(receiver.url);
  const syncs = Array.from({ length: 60 }, (_, index) => `s-${index}`);
  const ids: string[] = [];
  for (const sync of syncs) ids.push(await world.consumer(target, { syncs: [sync], start: 'end' }));
  await until(async () => {
    const { rows } = await world.db.query('select from cursors where indexed_epoch is not null');
    return rows.length === ids.length;
  });
  await world.append.events(syncs.flatMap((sync) => someEvents(1, { syncId: sync })));
  await until(() => receiver.received.length >= ids.length);
  for (const id of ids) await world.caughtUp(id);
  expect(new Set(receiver.received.map((one) => one.position)).size).toBe(ids.length);
  expect(receiver.received).toHaveLength(ids.length);
});

test('a visited consumer that stays busy goes to a drain of its own, in order and without a repetition', async () => {
  await using world = await openWorld({ visitLanes: 1 });
  await using receiver = await openReceiver();
  const id = await quiet(world, await world.target(receiver.url), 'a');
  for (let from = 0; from < 3_000; from += 500) {
    await world.append.events(someEvents(500, { syncId: 'a', records: 20, from }));
  }
  await until(() => receiver.received.length >= 3_000, { timeoutMs: 90_000 });
  await world.caughtUp(id);
  const positions = receiver.received.map((one) => one.position);
  expect(new Set(positions).size).toBe(positions.length);
  const byRecord = Map.groupBy(
    receiver.received,
    ({ body }) => (JSON.parse(body) as { event: { upstream_id: string } }).event.upstream_id,
  );
  for (const [, some] of byRecord) {
    const own = some.map((one) => one.position);
    expect(own).toEqual(own.toSorted((a, b) => a - b));
  }
  await until(async () => {
    const { visited, idle } = await cursorOf(world, id);
    return !visited && !idle;
  });
});

test('a visited consumer whose endpoint fails is blocked, and delivers again when it is back', async () => {
  let up = false;
  await using world = await openWorld({ visitLanes: 1 });
  await using receiver = await openReceiver(
    (_one, response) => void response.writeHead(up ? 204 : 503).end(),
  );
  const id = await quiet(world, await world.target(receiver.url), 'a');
  await world.append.events(someEvents(2, { syncId: 'a' }));
  await world.becomes(id, 'blocked');
  up = true;
  await world.workflows.give(id, {
    editId: 'retry',
    actor: 'test',
    command: { kind: 'retry' },
  });
  await world.becomes(id, 'active');
  await world.caughtUp(id);
  const taken = receiver.received.filter(({ status }) => status === 204);
  expect(new Set(taken.map((one) => one.position)).size).toBe(2);
});

test('a visited consumer is paused, moved, edited and deleted like any other', async () => {
  await using world = await openWorld({ visitLanes: 1 });
  await using receiver = await openReceiver();
  const id = await quiet(world, await world.target(receiver.url), 'a');
  const give = async (command: Parameters<World['workflows']['give']>[1]['command']) =>
    world.workflows.give(id, { editId: crypto.randomUUID(), actor: 'test', command });
  await world.append.events(someEvents(1, { syncId: 'a' }));
  await until(async () => (await cursorOf(world, id)).visited);
  await until(() => receiver.received.length === 1);

  expect(
    await give({ kind: 'filter', delta: { add: { syncs: ['b'] }, remove: {} } }),
  ).toMatchObject({
    ok: true,
  });
  expect(await cursorOf(world, id)).toMatchObject({ visited: true });
  await world.append.events(someEvents(1, { syncId: 'b' }));
  await until(() => receiver.received.length === 2);

  expect(await give({ kind: 'pause' })).toMatchObject({ ok: true });
  await world.append.events(someEvents(1, { syncId: 'a', from: 5 }));
  await until(async () => !(await cursorOf(world, id)).visited);
  expect(await give({ kind: 'resume' })).toMatchObject({ ok: true });
  await until(() => receiver.received.length === 3);

  await until(async () => !(await cursorOf(world, id)).idle);
  expect(await give({ kind: 'seek', to: 'beginning' })).toMatchObject({ ok: true });
  await until(() => receiver.received.length === 6);
  expect(await give({ kind: 'delete' })).toMatchObject({ ok: true });
});

test('what is parked is left to the lane that visits its consumer, also after a command: no drain is tried', async () => {
  await using world = await openWorld({ visitLanes: 1 });
  const hanging: ServerResponse[] = [];
  let hangs = false;
  await using receiver = await openReceiver((one, response) => {
    if (!one.body.includes('refused')) accept(one, response);
    else if (hangs) hanging.push(response);
    else answer(400)(one, response);
  });
  const id = await quiet(world, await world.target(receiver.url), 'a');
  await world.append.events([
    ...someEvents(1, { syncId: 'a', data: '{"refused":true}' }),
    ...someEvents(1, { syncId: 'a', upstreamId: 'another' }), // speaks for the endpoint
  ]);
  await until(async () => (await world.get(id)).parked === 1);
  hangs = true;
  const retried = await world.api.request('POST', `/v1/consumers/${id}/retry`);
  expect(retried.status).toBe(200);
  await until(() => hanging.length === 1); // the parked entry stays due as long as this takes
  const edited = await world.api.request('POST', `/v1/consumers/${id}/filter`, {
    add: { syncs: ['b'] },
  });
  expect(edited.status).toBe(200); // after whatever else its workflow had to do
  const { events } = await world.handle(id).fetchHistory();
  const activities = (events ?? []).map(
    (one) => one.activityTaskScheduledEventAttributes?.activityType?.name,
  );
  expect(activities).not.toContain('drain');
  expect(await cursorOf(world, id)).toMatchObject({ visited: true });
  hanging[0]?.writeHead(204).end();
  await until(async () => (await world.get(id)).parked === 0);
});

test('a seek makes the lane release the consumer first', async () => {
  await using world = await openWorld({ visitLanes: 1 });
  await using receiver = await openReceiver();
  const id = await quiet(world, await world.target(receiver.url), 'a');
  await world.append.events(someEvents(2, { syncId: 'a' }));
  await until(() => receiver.received.length === 2);
  expect(await cursorOf(world, id)).toMatchObject({ visited: true });
  const command = { kind: 'seek', to: 'beginning' } as const;
  const answer = await world.workflows.give(id, { editId: 'seek', actor: 'test', command });
  expect(answer).toMatchObject({ ok: true });
  await until(() => receiver.received.length === 4);
  expect((await world.caughtUp(id)).status).toBe('active');
});

test('when a worker stops, its lanes release their consumers, and the next worker continues at the same position', async () => {
  await using world = await openWorld({ visitLanes: 1 });
  await using receiver = await openReceiver();
  const id = await quiet(world, await world.target(receiver.url), 'a');
  await world.append.events(someEvents(1, { syncId: 'a' }));
  await until(() => receiver.received.length === 1);
  await world.stopWorker();
  expect(await cursorOf(world, id)).toMatchObject({ visited: false, idle: true });
  await world.append.events(someEvents(2, { syncId: 'a', from: 1 }));
  await world.startWorker();
  await until(() => receiver.received.length === 3, { timeoutMs: 40_000 });
  await world.caughtUp(id);
  expect(new Set(receiver.received.map((one) => one.position)).size).toBe(3);
});

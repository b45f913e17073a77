import type { ServerResponse } from 'node:http';

import { expect, test } from 'vitest';

import { emptyBatch } from '../../src/progress/attemptLog.ts';
import { beginLaneLease, endLapsedLaneLeases } from '../../src/progress/laneLeases.ts';
import { claim } from '../../src/progress/leases.ts';
import { createProgress } from '../../src/progress/progress.ts';
import { openConsumersApi } from '../support/consumers.ts';
import { until } from '../support/poll.ts';
import { accept, openReceiver, type TestReceiver } from '../support/receiver.ts';
import { openWorld, someEvents, type World } from '../support/world.ts';

const CONSUMERS = 8;

interface Cursor {
  visited: boolean;
  released: boolean;
  watched: boolean;
}

async function cursorOf(world: World, id: string): Promise<Cursor | undefined> {
  const { rows } = await world.db.query<Cursor>({
    text: `
      select visited, holder is null as released, indexed_epoch is not null as watched
        from cursors where consumer_id = $1`,
    values: [id],
  });
  return rows[0];
}

/** A consumer of one sync that is being visited, and has got its first entry. */
async function visited(
  world: World,
  { received }: TestReceiver,
  target: string,
  syncId: string,
): Promise<string> {
  const id = await world.consumer(target, { syncs: [syncId], start: 'end' });
  await until(async () => (await cursorOf(world, id))?.watched);
  const { position } = await world.append.events(someEvents(1, { syncId }));
  await until(async () => (await cursorOf(world, id))?.visited);
  await until(() => received.some((one) => one.position === position));
  return id;
}

test(`an entry that is appended once \`paused\` is read is not sent by a lane, in ${CONSUMERS} pauses by signal`, async () => {
  await using world = await openWorld({ visitLanes: 1 });
  await using receiver = await openReceiver();
  const target = await world.target(receiver.url);
  const syncs = Array.from({ length: CONSUMERS }, (_, index) => `s-${index}`);
  const late = await Promise.all(
    syncs.map(async (syncId) => {
      const id = await visited(world, receiver, target, syncId);
      await world.handle(id).signal('pause');
      await world.becomes(id, 'paused');
      const { position } = await world.append.events(someEvents(1, { syncId }));
      await until(async () => (await cursorOf(world, id))?.released);
      return receiver.received.some((one) => one.position === position) ? position : null;
    }),
  );
  expect(late).toEqual(syncs.map(() => null));
  expect(receiver.received).toHaveLength(CONSUMERS);
});

test('a pause of a visited consumer whose one request hangs is answered meanwhile, and after that none starts', async () => {
  await using world = await openWorld({ visitLanes: 1 });
  const hanging: ServerResponse[] = [];
  await using receiver = await openReceiver();
  const id = await visited(world, receiver, await world.target(receiver.url), 's');
  receiver.respond = (_one, response) => void hanging.push(response);
  await world.append.events(someEvents(1, { syncId: 's' }));
  await until(() => hanging.length === 1, { what: () => `${hanging.length} hang` });
  const paused = await world.api.request('POST', `/v1/consumers/${id}/pause`);
  expect([paused.status, paused.body.status]).toEqual([200, 'paused']);
  expect(hanging[0]?.socket?.destroyed).toBe(false); // the request has not been given up
  await world.append.events(someEvents(2, { syncId: 's' }));
  hanging[0]?.writeHead(204).end();
  await until(async () => (await cursorOf(world, id))?.released);
  expect(receiver.received).toHaveLength(2);
  receiver.respond = accept;
  await world.api.request('POST', `/v1/consumers/${id}/resume`);
  await world.caughtUp(id);
  const positions = receiver.received.map((one) => one.position);
  expect(positions.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4]);
});

test('once an edit of a target is answered, lanes send with the edit for visited consumers', async () => {
  await using world = await openWorld({ visitLanes: 2 });
  await using receiver = await openReceiver();
  const target = await world.target(receiver.url);
  const syncs = Array.from({ length: CONSUMERS }, (_, index) => `s-${index}`);
  for (const syncId of syncs) await visited(world, receiver, target, syncId);
  const edit = { base_url: `${receiver.url}/moved` };
  expect((await world.api.request('PATCH', `/v1/targets/${target}`, edit)).status).toBe(200);
  await world.append.events(syncs.flatMap((syncId) => someEvents(1, { syncId })));
  await until(() => receiver.received.length === 2 * CONSUMERS);
  const paths = receiver.received.map(({ path }) => path.endsWith('/moved'));
  expect(paths.filter((moved) => moved)).toHaveLength(CONSUMERS);
  expect(paths.slice(CONSUMERS)).not.toContain(false);
});

test('a lane that has lost a consumer to another lane stores nothing more for it', async () => {
  await using opened = await openConsumersApi();
  const { db } = opened.api;
  const { id: consumerId } = await opened.create({ start: 'end' });
  await db.query('update cursors set wanted = 1, idle = true');
  const lane = { region: 'us-west-2', limit: 1, number: 1 };
  await beginLaneLease(db, { id: 'frozen', region: 'us-west-2' }, 1);
  await beginLaneLease(db, { id: 'other', region: 'us-west-2' }, 8_000);
  const [first] = await claim(db.pipe, { ...lane, holder: 'frozen', lost: false });
  const [second] = await until(async () => {
    await endLapsedLaneLeases(db);
    const taken = await claim(db.pipe, { ...lane, holder: 'other', lost: true });
    return taken.length > 0 && taken;
  });
  const outcomes = { consumerId, position: 3, ahead: [], batch: emptyBatch(), attempts: [] };
  const progress = createProgress(db);
  const store = async (epoch = 0) => progress.commit([{ ...outcomes, epoch, parked: null }], 8_000);
  expect([...(await store(first?.lease.epoch)).keys()]).toEqual([]);
  const { rows } = await db.query('select position, holder from cursors');
  expect(rows).toEqual([{ position: second?.lease.position, holder: 'other' }]);
  expect([...(await store(second?.lease.epoch)).keys()]).toEqual([consumerId]);
  const late = { consumerId, epoch: first?.lease.epoch ?? 0, idle: true, head: null };
  expect(await progress.release(late)).toBe(false);
});

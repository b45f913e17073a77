// short outages of all endpoints: what senders sit out reaches no workflow, and nothing is lost
import { expect, test } from 'vitest';

import { historyLength } from '../support/historyLength.ts';
import { until } from '../support/poll.ts';
import { accept, answer, openReceiver, type Received } from '../support/receiver.ts';
import { openWorld, someEvents, type World } from '../support/world.ts';

async function lengthsOf(world: World, ids: readonly string[]): Promise<number[]> {
  const lengths: number[] = [];
  for (const id of ids) lengths.push(await historyLength(world, id));
  return lengths;
}

/** A consumer of one sync that starts at the end, once the leader watches it. */
async function quiet(world: World, target: string, sync: string): Promise<string> {
  const id = await world.consumer(target, { syncs: [sync], start: 'end' });
  await until(() => is(world, id, 'indexed_epoch is not null'));
  return id;
}

/** Whether this holds of the consumer's row `k` and its cursor. */
async function is(world: World, id: string, condition: string): Promise<boolean> {
  const { rows } = await world.db.query<{ holds: boolean }>({
    text: `
      select ${condition} as holds from consumers k join cursors c on c.consumer_id = k.id
       where k.id = $1`,
    values: [id],
  });
  return rows[0]?.holds === true;
}

/** The number of the newest attempt at the head. */
async function attemptOf(world: World, id: string): Promise<{ attempt: number }> {
  const { rows } = await world.db.query<{ attempt: number }>({
    text: 'select attempt from cursors where consumer_id = $1',
    values: [id],
  });
  return rows[0] ?? { attempt: 0 };
}

async function isOfAll(world: World, condition: string): Promise<boolean> {
  const { rows } = await world.db.query<{ holds: boolean }>(
    `select bool_and(${condition}) as holds from consumers k join cursors c on c.consumer_id = k.id`,
  );
  return rows[0]?.holds === true;
}

function expectEachOnceInOrder(received: readonly Received[], count: number): void {
  const taken = received.filter(({ status }) => status === 204);
  expect(new Set(taken.map((one) => one.position)).size).toBe(count);
  expect(taken).toHaveLength(count);
  const byRecord = Map.groupBy(taken, ({ body }) => {
    const { event } = JSON.parse(body) as { event: { sync_id: string; upstream_id: string } };
    return `${event.sync_id} ${event.upstream_id}`;
  });
  for (const [, some] of byRecord) {
    const own = some.map((one) => one.position);
    expect(own).toEqual(own.toSorted((a, b) => a - b));
  }
}

test.concurrent('when every endpoint refuses for some seconds, no workflow is notified, all consumers are shown as blocked, and afterwards everything arrives in order', async () => {
  await using world = await openWorld({ visitLanes: 1 });
  let receiver = await openReceiver();
  const { url } = receiver;
  const target = await world.target(url);
  const many = Array.from({ length: 50 }, (_, index) => `quiet-${index}`);
  const busy = ['busy-1', 'busy-2'];
  const ids: string[] = [];
  for (const sync of [...many, ...busy]) {
    ids.push(await world.consumer(target, { syncs: [sync], start: 'end' }));
  }
  await until(() => isOfAll(world, 'c.indexed_epoch is not null'));
  const one = many.flatMap((sync) => someEvents(1, { syncId: sync }));
  const flood = (from: number) =>
    busy.flatMap((sync) => someEvents(800, { syncId: sync, records: 20, from }));
  await world.append.events([...one, ...flood(0)]);
  const first = one.length + 1_600;
  await until(() => receiver.received.length >= first, { timeoutMs: 60_000 });
  for (const id of ids.slice(-2))
    await until(() => is(world, id, 'not visited and holder is not null'));
  const before = await lengthsOf(world, ids);

  await receiver[Symbol.asyncDispose]();
  const { received } = receiver;
  await world.append.events([
    ...one.map((event) => ({ ...event, eventId: crypto.randomUUID() })),
    ...flood(800),
  ]);
  await until(() => isOfAll(world, 'c.attempt >= 2'), { timeoutMs: 60_000 });
  const { body } = await world.api.request('GET', '/v1/consumers?status=blocked&limit=100');
  expect(body.data).toHaveLength(ids.length);
  expect(body.data[0]).toMatchObject({ status_reason: 'CONNECTION_REFUSED: connection refused' });
  expect((await world.api.request('GET', '/v1/consumers?status=active')).body.data).toEqual([]);
  expect(await isOfAll(world, `k.status = 'active'`)).toBe(true);

  receiver = await openReceiver(accept, Number(new URL(url).port));
  await using back = receiver;
  await until(() => back.received.length >= first, { timeoutMs: 60_000 });
  for (const id of ids) await world.caughtUp(id);
  expectEachOnceInOrder([...received, ...back.received], 2 * first);
  const after = await lengthsOf(world, ids);
  expect(Math.max(...after.map((length, index) => length - before[index]!))).toBeLessThanOrEqual(2);
  expect((await world.api.request('GET', '/v1/consumers?status=blocked')).body.data).toEqual([]);
});

test.concurrent('when a worker stops, a failing consumer that it visited continues with its head under the next lane', async () => {
  await using world = await openWorld({ visitLanes: 1 });
  await using receiver = await openReceiver(answer(429));
  const id = await quiet(world, await world.target(receiver.url), 'a');
  await world.append.events(someEvents(2, { syncId: 'a' }));
  await until(() => is(world, id, 'c.attempt >= 2'));
  const before = await historyLength(world, id);
  await world.stopWorker();
  const { attempt } = await attemptOf(world, id);
  expect(
    await is(world, id, 'c.head is not null and c.wanted is not null and not needs_drain'),
  ).toBe(true);
  receiver.respond = accept;
  const tries = receiver.received.length;
  await world.startWorker();
  await until(() => receiver.received.length > tries, { timeoutMs: 40_000 });
  expect(receiver.received[tries]).toMatchObject({ attempt: attempt + 1 });
  await world.caughtUp(id);
  expect(await historyLength(world, id)).toBe(before);
});

test.concurrent('a consumer that fails for longer is handed over to its workflow, which continues its schedule and its window', async () => {
  await using world = await openWorld({
    visitLanes: 1,
    visitRetriesMs: 2_000,
    ownRetriesMs: 2_000,
  });
  await using receiver = await openReceiver(answer(429));
  const id = await quiet(world, await world.target(receiver.url), 'a');
  await world.append.events(someEvents(1, { syncId: 'a' }));
  const { failing_since } = await world.becomes(id, 'blocked');
  await until(() => is(world, id, `k.status = 'blocked'`));
  await until(() => receiver.received.length >= 3, { timeoutMs: 40_000 });
  expect(receiver.received.slice(0, 3).map((one) => one.attempt)).toEqual([1, 2, 3]);
  expect((await world.get(id)).failing_since).toBe(failing_since);
  receiver.respond = accept;
  await world.api.request('POST', `/v1/consumers/${id}/retry`);
  await world.becomes(id, 'active');
  await world.caughtUp(id);
});

test.concurrent('a visited consumer that fails is retried, paused and moved like any other that is blocked', async () => {
  await using world = await openWorld({ visitLanes: 1 });
  await using receiver = await openReceiver(answer(429));
  const id = await quiet(world, await world.target(receiver.url), 'a');
  const command = async (path: string, body?: unknown) => {
    const answered = await world.api.request('POST', `/v1/consumers/${id}/${path}`, body);
    expect(answered.status).toBe(200);
    return answered.body;
  };
  await world.append.events(someEvents(2, { syncId: 'a' }));
  await until(() => is(world, id, 'c.attempt >= 2'));
  const tries = receiver.received.length;
  await command('retry');
  await until(() => receiver.received.length > tries);
  expect((await world.get(id)).status).toBe('blocked');
  expect(await command('seek', { to: 'end' })).toMatchObject({
    status: 'active',
    failing_since: null,
  });
  await world.append.events(someEvents(1, { syncId: 'a', from: 5 }));
  await world.becomes(id, 'blocked');
  expect(await command('pause')).toMatchObject({ status: 'paused' });
  receiver.respond = accept;
  expect(await command('resume')).toMatchObject({ status: 'active', failing_since: null });
  await until(() => receiver.received.some((one) => one.status === 204));
  expect((await world.caughtUp(id)).status).toBe('active');
});

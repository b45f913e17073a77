// the condition of a filter while a consumer is sent to: exact, counted where it fails, and cheap while it is idle
import { monitorEventLoopDelay } from 'node:perf_hooks';

import { describe, expect, test } from 'vitest';

import { celEntry, compileCel } from '../../src/rules/cel.ts';
import { HOSTS } from '../support/hosts.ts';
import { until } from '../support/poll.ts';
import { accept, answer, openReceiver, type TestReceiver } from '../support/receiver.ts';
import { openWorld, someEvents, type World } from '../support/world.ts';

/** The numbers in the data of what has come, in order. */
function numbersOf({ received }: TestReceiver): number[] {
  return received.map(
    ({ body }) => (JSON.parse(body) as { event: { data: { n: number } } }).event.data.n,
  );
}

async function edit(world: World, consumer: string, body: object) {
  const answered = await world.api.request('POST', `/v1/consumers/${consumer}/filter`, body);
  expect(answered.status).toBe(200);
  return answered.body;
}

describe.each(HOSTS)('sent to by $by', ({ options }) => {
  test('a consumer gets the entries that pass its lists and satisfy its condition', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    const target = await world.target(receiver.url);
    const consumer = await world.consumer(target, {
      collections: ['shop:order'],
      where: 'event.data.n % 3 == 0',
    });
    await world.append.events(someEvents(1, { collectionId: 'shop:cart' }));
    for (let from = 0; from < 30; from += 10)
      await world.append.events(someEvents(10, { from, records: 100 }));
    await until(() => receiver.received.length === 10);
    const { lag, position } = await world.caughtUp(consumer);
    expect(numbersOf(receiver).sort((a, b) => a - b)).toEqual([0, 3, 6, 9, 12, 15, 18, 21, 24, 27]);
    expect(lag).toEqual({ entries: 0, seconds: 0, exact: true });
    expect(position).toBe(31);
  });

  for (const way of ['API', 'signal'] as const) {
    test(`a condition that is changed by ${way} while 10,000 entries drain applies above filter_from, and closes what was read`, async () => {
      await using world = await openWorld(options);
      let slow = true;
      await using receiver = await openReceiver((one, response) => {
        if (slow && one.position > 500) setTimeout(() => accept(one, response), 20);
        else accept(one, response);
      });
      await world.append.events(someEvents(10_000));
      const target = await world.target(receiver.url, { max_in_flight: 8 });
      const consumer = await world.consumer(target, {
        start: 'beginning',
        where: 'event.data.n % 4 < 2',
      });
      await until(() => receiver.received.length > 500);
      const before = receiver.received.length;
      if (way === 'API') await edit(world, consumer, { where: 'event.data.n % 2 == 0' });
      else {
        await world.handle(consumer).signal('setWhere', 'event.data.n % 2 == 0');
        await until(async () => (await world.get(consumer)).filter_version === 2);
      }
      slow = false;
      const { filter_from: from, where } = await world.caughtUp(consumer, 60_000);
      expect(where).toBe('event.data.n % 2 == 0');
      expect(from).toBeGreaterThan(0);
      expect(from).toBeLessThan(10_000);
      const got = numbersOf(receiver);
      expect(new Set(got).size).toBe(got.length);
      // Entry n is at position n + 1. Up to filter_from both have to hold; what came before the edit may have passed the
      // first alone.
      const must = Array.from({ length: 10_000 }, (_, n) => n).filter(
        (n) => n % 2 === 0 && (n >= from || n % 4 < 2),
      );
      const seen = new Set(got);
      expect(must.filter((n) => !seen.has(n))).toEqual([]);
      const allowed = new Set(must);
      const more = got.filter((n) => !allowed.has(n));
      expect(more.filter((n) => n % 4 !== 1 || n >= from)).toEqual([]);
      // Those were sent or in flight when the edit came.
      expect(more.length).toBeLessThanOrEqual(before + 8);
      // A drain has read on; a lane, which sends one after another, hardly has.
      if (options.visitLanes === undefined) expect(more.length).toBeLessThan(from / 4);
    });
  }

  test('what a condition left out stays out when it is removed', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    await using all = await openReceiver();
    const consumer = await world.consumer(await world.target(receiver.url), {
      where: 'event.data.n == 0',
    });
    await world.consumer(await world.target(all.url));
    await world.append.events(someEvents(1));
    await until(() => receiver.received.length === 1);
    await world.append.events(someEvents(30, { from: 1 }));
    await until(() => all.received.length === 31); // the worker has read them
    const { filter_from: from, where } = await edit(world, consumer, { where: null });
    expect([from, where]).toEqual([31, null]);
    await world.append.events(someEvents(1, { from: 31 }));
    await until(() => receiver.received.length > 1);
    expect(numbersOf(receiver)).toEqual([0, 31]);
  });

  test('a condition closes parked entries that do not satisfy it, and the record behind them goes on', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver((one, response) => {
      const { n } = (JSON.parse(one.body) as { event: { data: { n: number } } }).event.data;
      if (n < 2) answer(400)(one, response);
      else accept(one, response);
    });
    const consumer = await world.consumer(await world.target(receiver.url), { start: 'beginning' });
    // Records 0 and 1 fail at first, and have an entry each behind that.
    await world.append.events([
      ...someEvents(20, { records: 10 }),
      ...someEvents(1, { from: 30, records: 10 }),
    ]);
    await until(async () => (await world.get(consumer)).parked === 5);
    await edit(world, consumer, { where: 'event.data.n != 0' });
    expect((await world.get(consumer)).parked).toBeLessThan(5);
    await until(() => numbersOf(receiver).includes(30));
    await until(async () => {
      const { rows } = await world.db.query<{ id: string }>('select upstream_id as id from parked');
      return rows.every(({ id }) => id === 'o-1');
    });
    const tried = numbersOf(receiver).filter((n) => n === 0).length;
    await edit(world, consumer, { where: 'event.data.n > 1' });
    await until(async () => (await world.get(consumer)).parked === 0);
    await until(() => numbersOf(receiver).includes(11));
    expect(numbersOf(receiver).filter((n) => n === 0)).toHaveLength(tried);
    const dead = await world.api.request('GET', `/v1/consumers/${consumer}/dead-letters`);
    expect(dead.body.data).toEqual([]);
  }, 60_000);

  test('a condition closes the entry that a blocked consumer retries', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver(answer(503));
    const consumer = await world.consumer(await world.target(receiver.url), { start: 'beginning' });
    await world.append.events(someEvents(3));
    await world.becomes(consumer, 'blocked');
    await edit(world, consumer, { where: 'event.data.n > 0' });
    // An attempt at the first one may have begun before the edit: accepted, it would be one too many.
    receiver.respond = (one, response) =>
      (one.position === 1 ? answer(503) : accept)(one, response);
    await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
    await world.caughtUp(consumer);
    const accepted = receiver.received.filter(({ status }) => status === 204);
    expect(accepted.map(({ position }) => position)).toEqual([2, 3]);
    expect((await world.get(consumer)).status).toBe('active');
  }, 60_000);

  test('an evaluation that fails counts as not matching, is counted, and health says so with an example', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    const consumer = await world.consumer(await world.target(receiver.url), {
      where: 'event.data.n > 100 || event.data.total > 1',
    });
    await world.append.events(someEvents(3, { from: 99 }));
    await until(() => receiver.received.length === 1);
    const said = await until(async () => {
      const { health } = await world.get(consumer);
      return health.notes.find((note) => note.startsWith('The condition'));
    });
    expect(said).toMatch(
      /^The condition could not be evaluated for 2 entries since \d\d:\d\d UTC, which are not sent; the newest is position 2: There is no field "total" \(line 1, column 34\)$/u,
    );
    expect((await world.get(consumer)).health.status).toBe('warn');
    expect(numbersOf(receiver)).toEqual([101]);
    // Another version begins to count anew.
    await edit(world, consumer, { where: 'event.data.n > 0' });
    expect((await world.get(consumer)).health.notes.join()).not.toContain('The condition');
  }, 60_000);
});

test('an idle consumer whose condition no entry satisfies is not claimed again for each entry', async () => {
  await using world = await openWorld({ visitLanes: 1, mustVisit: true });
  await using receiver = await openReceiver();
  await using all = await openReceiver();
  const consumer = await world.consumer(await world.target(receiver.url), {
    where: 'event.data.n < 0',
  });
  await world.consumer(await world.target(all.url));
  for (let from = 0; from < 50; from += 1) {
    await world.append.events(someEvents(1, { from }));
    await until(() => all.received.length === from + 1);
  }
  await world.caughtUp(consumer);
  const { rows } = await world.db.query<{ epoch: number }>({
    text: 'select epoch from cursors where consumer_id = $1',
    values: [consumer],
  });
  expect(rows[0]?.epoch).toBeLessThanOrEqual(2);
  expect(receiver.received).toEqual([]);
}, 60_000);

test('a costly condition leaves turns to other work, while entries are read and when it is edited', async () => {
  await using world = await openWorld();
  const edited = Promise.withResolvers<void>();
  await using receiver = await openReceiver((one, response) => {
    // Ten are sent before the edit, and one is in flight.
    if (one.position <= 10) accept(one, response);
    else void edited.promise.then(() => setTimeout(() => accept(one, response), 50));
  });
  const list = Array<number>(200).fill(1);
  const events = someEvents(120).map((one, n) => ({
    ...one,
    data: JSON.stringify({ n, l: list }),
  }));
  // Some 20 ms for each entry: several seconds for all of them.
  const costly = (from: number): string =>
    `event.data.l.all(a, event.data.l.all(b, a + b == 2)) && event.data.n >= ${from}`;
  const aQuarterOfThem = 3 * timeOfTen(costly(0), list);
  const consumer = await world.consumer(await world.target(receiver.url, { max_in_flight: 1 }), {
    where: costly(0),
  });
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  await world.append.events(events);
  await until(() => receiver.received.length > 10, { what: 'ten arrive, and one is in flight' });
  await isAtRest();
  await edit(world, consumer, { where: costly(60) });
  edited.resolve();
  await world.caughtUp(consumer);
  delay.disable();
  expect(delay.max / 1e6).toBeLessThan(aQuarterOfThem);
  const numbers = numbersOf(receiver);
  expect(numbers.filter((n) => n >= 60)).toHaveLength(60);
  expect(numbers.filter((n) => n < 60).length).toBeLessThan(60);
}, 120_000);

test('costly conditions of many visited consumers together leave turns to other work', async () => {
  await using world = await openWorld(HOSTS[1]!.options);
  await using receiver = await openReceiver();
  const target = await world.target(receiver.url);
  const list = `[${Array(200).fill(1).join(',')}]`;
  // Some 20 ms for each entry and consumer.
  const where = 'event.data.l.all(a, event.data.l.all(b, a + b == 2))';
  const consumers = 40;
  for (let count = 0; count < consumers; count += 1) await world.consumer(target, { where });
  const events = someEvents(3).map((one) => ({ ...one, data: `{"n":1,"l":${list}}` }));
  await world.append.events(events.slice(0, 1)); // by which all of them are visited
  await until(() => receiver.received.length === consumers, { timeoutMs: 60_000 });
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const begun = performance.now();
  await world.append.events(events.slice(1));
  await until(() => receiver.received.length === 3 * consumers, { timeoutMs: 60_000 });
  delay.disable();
  // A fraction of the whole, as the machine may be slow.
  expect(delay.max / 1e6).toBeLessThan((performance.now() - begun) / 4);
}, 150_000);

test('a signal with a malformed condition is ignored, one that is no condition is refused, and both are noted', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const consumer = await world.consumer(await world.target(receiver.url));
  const handle = world.handle(consumer);
  for (const garbage of [7, ['event.data.a'], {}, '', undefined]) {
    await handle.signal('setWhere', garbage);
  }
  await handle.signal('setWhere', 'event.data.n >');
  await handle.signal('setWhere', 'event.data.n == 1');
  await until(async () => (await world.get(consumer)).where === 'event.data.n == 1');
  await handle.signal('setWhere', null);
  await until(async () => (await world.get(consumer)).where === null);
  expect((await world.get(consumer)).filter_version).toBe(3);
  const { body } = await world.api.request('GET', `/v1/changes?consumer_id=${consumer}`);
  expect(
    body.data.map(({ action, detail }: { action: string; detail: { where?: unknown } }) => [
      action,
      detail.where,
    ]),
  ).toEqual([
    ['filter', null],
    ['filter', 'event.data.n == 1'],
    ['created', undefined],
  ]);
}, 60_000);

test('a condition that this version cannot compile keeps the consumer from sending, and saving another one mends that', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const consumer = await world.consumer(await world.target(receiver.url), {
    where: 'event.data.n > 1',
  });
  await world.stopWorker();
  await world.db.query(`update filter_versions set condition = 'event.data.n ~ 1'`);
  await world.append.events(someEvents(3));
  await world.startWorker();
  const shown = await until(async () => {
    const found = await world.get(consumer);
    return found.cannot_start !== null && found;
  });
  expect(shown.cannot_start).toMatchObject({
    code: 'filter_unreadable',
    detail:
      "The condition of the consumer's filter can't be read by this version of Millrace: save `where` again",
  });
  const patched = await world.api.request('PATCH', `/v1/consumers/${consumer}`, {
    where: 'event.data.n > 1',
  });
  expect(patched.status).toBe(200);
  await until(() => receiver.received.length === 1);
  expect(numbersOf(receiver)).toEqual([2]);
}, 120_000);

/** Resolves when this process has nothing left to compute: all that can be read has been read. */
async function isAtRest(): Promise<void> {
  let before = performance.eventLoopUtilization();
  await until(() => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return utilization < 0.5;
  });
}

/** How long ten evaluations take in this process now, in milliseconds. */
function timeOfTen(condition: string, list: number[]): number {
  const { evaluate } = compileCel(condition, 'events');
  const entry = celEntry(JSON.stringify({ event: { data: { n: 0, l: list } } }), 'events');
  const started = performance.now();
  for (let n = 0; n < 10; n += 1) expect(evaluate(entry)).toBe(true);
  return performance.now() - started;
}

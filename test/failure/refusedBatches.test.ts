import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';

import type { ConsumerBatch } from '../../src/schema/batch.ts';
import type { ConsumerInput, Ordering } from '../../src/schema/consumer.ts';
import { deliveredIn, elementsOf, later } from '../support/batches.ts';
import { HOSTS } from '../support/hosts.ts';
import { until } from '../support/poll.ts';
import {
  accept,
  answer,
  openReceiver,
  type Respond,
  type TestReceiver,
} from '../support/receiver.ts';
import { drawFrom, seedOf } from '../support/seeded.ts';
import { openWorld, someEvents, type World, type WorldOptions } from '../support/world.ts';

vi.setConfig({ testTimeout: 240_000 });

/** More find more; a failure prints the seed and path that bring it again. */
const { BATCH_RUNS, BATCH_SEED: SEED, BATCH_PATH: PATH } = process.env;

function batch(max_entries: number, more: Partial<ConsumerBatch> = {}): ConsumerBatch {
  return { max_entries, max_bytes: 1_048_576, max_wait_ms: 50, ...more };
}

/** Refuses a request that has one of these numbers in it, and notes which went alone. */
function refuse(
  numbers: ReadonlySet<number>,
  how: Respond,
): { respond: Respond; alone: Set<number> } {
  const alone = new Set<number>();
  const respond: Respond = (one, response) => {
    const elements = elementsOf(one);
    const poisoned = elements.filter(({ n }) => numbers.has(n));
    if (poisoned.length === 0) return accept(one, response);
    if (elements.length === 1) alone.add(elements[0]?.n ?? NaN);
    return how(one, response);
  };
  return { respond, alone };
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

async function begin(
  receiver: TestReceiver,
  input: Partial<ConsumerInput>,
  options: WorldOptions & { max_in_flight?: number; timeout_ms?: number } = {},
) {
  const { max_in_flight = 4, timeout_ms = 15_000, ...rest } = options;
  const world = await openWorld(rest);
  const target = await world.target(receiver.url, { max_in_flight, timeout_ms });
  const start = async (): Promise<string> =>
    world.consumer(target, { batch: batch(20), start: 'beginning', ...input });
  return { world, start };
}

async function parkedIn(world: World): Promise<number[]> {
  const { rows } = await world.db.query<{ position: number }>(
    'select position from parked order by position',
  );
  return rows.map(({ position }) => position);
}

async function command(world: World, consumer: string, path: string, body?: object): Promise<void> {
  const { status } = await world.api.request('POST', `/v1/consumers/${consumer}/${path}`, body);
  expect(status).toBeLessThan(300);
}

interface Trial {
  entries: number;
  records: number;
  poisoned: number[];
  most: number;
  inFlight: number;
  ordering: Ordering;
  status: 400 | 422 | 500 | 413;
  seed: number;
}

const trial: fc.Arbitrary<Trial> = fc.record({
  entries: fc.integer({ min: 20, max: 300 }),
  records: fc.constantFrom(5, 50, 1_000),
  poisoned: fc.array(fc.nat(299), { maxLength: 8 }),
  most: fc.constantFrom(2, 7, 32, 100),
  inFlight: fc.integer({ min: 1, max: 8 }),
  ordering: fc.constantFrom<Ordering>('record', 'record', 'none'),
  status: fc.constantFrom(400, 422, 500, 413),
  seed: fc.nat(),
});

/** After these entries others of other records follow, so that there is evidence against what is refused. */
const FOLLOWING = 30;

async function live(world: World, receiver: TestReceiver, told: Trial): Promise<void> {
  const { entries, records, most, ordering } = told;
  const draw = drawFrom(told.seed);
  const poisoned = new Set(told.poisoned.filter((n) => n < entries));
  const { respond, alone } = refuse(poisoned, answer(told.status));
  receiver.respond = later(() => draw() ** 2 * 15, respond);
  const syncId = `sync-${told.seed}-${performance.now()}`;
  await world.append.events(someEvents(entries, { records, syncId }));
  const from = receiver.received.length;
  const target = await world.target(receiver.url, { max_in_flight: told.inFlight });
  const consumer = await world.consumer(target, {
    syncs: [syncId],
    ordering,
    batch: batch(most),
    start: 'beginning',
  });
  const following = async (after: number): Promise<void> => {
    const more = someEvents(FOLLOWING, { from: after, records: 1_000_000, syncId });
    await world.append.events(more.map((one) => ({ ...one, upstreamId: `f-${one.upstreamId}` })));
  };
  let appended = entries;
  const settles = async (): Promise<boolean> => {
    const { lag, parked } = await world.get(consumer);
    return lag.entries === 0 && parked >= poisoned.size;
  };
  for (let round = 0; round < 20 && !(await settles()); round += 1) {
    await following(appended);
    appended += FOLLOWING;
    await until(settles, { timeoutMs: 4_000 }).catch(() => undefined); // evidence comes with the next ones
  }
  expect(await settles(), JSON.stringify(await world.get(consumer))).toBe(true);

  const mine = () => receiver.received.slice(from);
  const first = deliveredIn(mine()).map(({ n }) => n);
  const behind = (n: number): boolean =>
    ordering === 'record' &&
    n < entries &&
    [...poisoned].some((bad) => bad < n && bad % records === n % records);
  const waits = numbers(appended).filter((n) => poisoned.has(n) || behind(n));
  expect(first.toSorted((a, b) => a - b)).toEqual(
    numbers(appended).filter((n) => !waits.includes(n)),
  );
  expect((await world.get(consumer)).parked).toBe(waits.length);
  // Only an entry that was refused alone is at fault; those behind it were never tried with it.
  const firstOfRecord = [...poisoned].filter((n) => !behind(n));
  for (const n of firstOfRecord) expect(alone.has(n)).toBe(true);

  receiver.respond = accept;
  await command(world, consumer, 'retry');
  await until(async () => (await world.get(consumer)).parked === 0, { timeoutMs: 60_000 });
  await world.caughtUp(consumer);
  const all = deliveredIn(mine());
  expect(all.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual(numbers(appended));
  if (ordering === 'record') {
    const newest = new Map<string, number>();
    for (const { record, position } of all) {
      expect(position).toBeGreaterThan(newest.get(record) ?? 0);
      newest.set(record, position);
    }
  }
  const contents = new Map<string, string>();
  for (const { id, body } of mine()) {
    expect(contents.get(id) ?? body).toBe(body);
    contents.set(id, body);
  }
  await world.api.request('DELETE', `/v1/consumers/${consumer}`);
}

test('whichever entries of batches are refused, each of the others is delivered once and in order, and those alone are parked', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  await fc.assert(
    fc.asyncProperty(trial, (told) => live(world, receiver, told)),
    {
      numRuns: Number(BATCH_RUNS ?? 6),
      endOnFailure: true,
      seed: seedOf(SEED, BATCH_RUNS !== undefined),
      path: PATH ?? '',
    },
  );
}, 600_000);

describe.each(HOSTS)('$by', ({ options }) => {
  test.concurrent('of a batch with one refused entry the others arrive, also when nothing comes after it, and that one is parked', async () => {
    await using receiver = await openReceiver();
    const { respond } = refuse(new Set([13]), answer(400));
    receiver.respond = respond;
    const { world, start } = await begin(receiver, {}, options);
    await using _ = world;
    await world.append.events(someEvents(20));
    const consumer = await start();
    await until(async () => (await parkedIn(world)).length === 1);
    expect(await parkedIn(world)).toEqual([14]);
    await until(() => deliveredIn(receiver.received).length === 19);
    expect(
      deliveredIn(receiver.received)
        .map(({ n }) => n)
        .toSorted((a, b) => a - b),
    ).toEqual(numbers(20).filter((n) => n !== 13));
    expect((await world.get(consumer)).status).toBe('active');
    expect(receiver.received.length).toBeLessThan(20);
  });

  test.concurrent('an outage in which everything is answered 500 parks nothing, splits few batches, and all entries arrive in order after it', async () => {
    await using receiver = await openReceiver(answer(500));
    const { world, start } = await begin(receiver, { batch: batch(100) }, options);
    await using _ = world;
    await world.append.events(someEvents(1_000, { records: 50 }));
    const consumer = await start();
    await world.becomes(consumer, 'blocked');
    const refused = receiver.received.length;
    expect(refused).toBeLessThan(20); // five failures, what was in flight, and the attempts at the head
    receiver.respond = accept;
    await command(world, consumer, 'retry');
    await world.caughtUp(consumer);
    const arrived = deliveredIn(receiver.received);
    expect(arrived.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual(numbers(1_000));
    const newest = new Map<string, number>();
    for (const { record, n } of arrived) {
      expect(n).toBeGreaterThan(newest.get(record) ?? -1);
      newest.set(record, n);
    }
    expect(await parkedIn(world)).toEqual([]);
  });

  test.concurrent('an entry that makes a gateway answer 502 is found by halves and parked, and the others arrive', async () => {
    await using receiver = await openReceiver();
    receiver.respond = refuse(new Set([9]), answer(502)).respond;
    const { world, start } = await begin(receiver, { batch: batch(16) }, options);
    await using _ = world;
    await world.append.events(someEvents(64));
    await start();
    await until(async () => (await parkedIn(world)).length === 1, { timeoutMs: 90_000 });
    await until(() => deliveredIn(receiver.received).length === 63, { timeoutMs: 60_000 });
    expect(await parkedIn(world)).toEqual([10]);
  });
});

test.concurrent('an entry that makes the endpoint hang is found by halves and parked, and the others arrive', async () => {
  await using receiver = await openReceiver();
  receiver.respond = refuse(new Set([5]), () => undefined).respond;
  const { world, start } = await begin(receiver, { batch: batch(16) }, { timeout_ms: 700 });
  await using _ = world;
  await world.append.events(someEvents(48));
  await start();
  await until(async () => (await parkedIn(world)).length === 1, { timeoutMs: 90_000 });
  // What a stalled process has timed out itself is repeated.
  const arrived = () => new Set(deliveredIn(receiver.received).map(({ n }) => n));
  await until(() => arrived().size === 47);
  expect(await parkedIn(world)).toEqual([6]);
});

test.concurrent('under ordering "stream" a refused entry is found by halves, blocks its consumer, and nothing is sent before it', async () => {
  await using receiver = await openReceiver();
  const { respond, alone } = refuse(new Set([6]), answer(400));
  receiver.respond = respond;
  const { world, start } = await begin(receiver, { ordering: 'stream' });
  await using _ = world;
  await world.append.events(someEvents(20));
  const consumer = await start();
  await world.becomes(consumer, 'blocked');
  expect(alone).toEqual(new Set([6]));
  expect(deliveredIn(receiver.received).map(({ n }) => n)).toEqual(numbers(6));
  receiver.respond = accept;
  await command(world, consumer, 'retry');
  await world.caughtUp(consumer);
  expect(deliveredIn(receiver.received).map(({ n }) => n)).toEqual(numbers(20));
});

test.concurrent('what is sent alone (a blocked head, a parked entry, a resent one, a replayed dead letter) has the envelope of batches and the id of its entry', async () => {
  await using receiver = await openReceiver(answer(503));
  // Short, so that `deliver` makes the attempts, and a parked entry soon dies.
  const { world, start } = await begin(receiver, {}, { retryWindowMs: 40_000 });
  await using _ = world;
  await world.append.events(someEvents(12, { records: 100 }));
  const consumer = await start();
  await until(() => receiver.received.some((one) => elementsOf(one).length === 1), {
    timeoutMs: 60_000,
  });
  const { respond } = refuse(new Set([4]), answer(400));
  receiver.respond = respond;
  await command(world, consumer, 'retry');
  await until(async () => (await parkedIn(world)).length === 1);
  await world.append.events(someEvents(3, { from: 12, records: 100 }));
  await until(async () => (await world.get(consumer)).dead_letters === 1, { timeoutMs: 120_000 });
  receiver.respond = accept;
  await command(world, consumer, 'dead-letters/replay', { all: true });
  await until(() => deliveredIn(receiver.received).some(({ n }) => n === 4));
  const before = receiver.received.length;
  await command(world, consumer, 'resend', { position: 1 });
  await until(() => receiver.received.length > before);
  const lone = receiver.received.filter((one) => elementsOf(one).length === 1);
  expect(lone.length).toBeGreaterThan(3);
  for (const one of lone) expect(one.id).toBe(elementsOf(one)[0]?.id);
  const arrived = deliveredIn(receiver.received).map(({ n }) => n);
  expect(arrived.toSorted((a, b) => a - b)).toEqual([0, ...numbers(15)]);
});

// Batches whose entries are sent in another shape: how large they are, what of them goes, and what that costs others.
import { describe, expect, test, vi } from 'vitest';

import type { ConsumerBatch } from '../../src/schema/batch.ts';
import type { ConsumerInput, Ordering } from '../../src/schema/consumer.ts';
import { deliveredIn, elementsOf, type Element } from '../support/batches.ts';
import { openFailingConsumer, unmakeFirst } from '../support/failingConsumer.ts';
import { HOSTS } from '../support/hosts.ts';
import { until } from '../support/poll.ts';
import { answer, openReceiver, type TestReceiver } from '../support/receiver.ts';
import { watchTurns } from '../support/turns.ts';
import { openWorld, someEvents, type World } from '../support/world.ts';

vi.setConfig({ testTimeout: 120_000 });

const batch = (max_entries: number, more: Partial<ConsumerBatch> = {}): ConsumerBatch => ({
  max_entries,
  max_bytes: 1_048_576,
  max_wait_ms: 50,
  ...more,
});
const map = (expression: string) => ({ mode: 'map' as const, expression });

/** What `elementsOf` reads of an element, and more. */
const element = (more: string): string =>
  '{"position": event.position, "event_id": event.event_id, "upstream_id": event.upstream_id, ' +
  `"data": {"n": event.data.n}, "more": ${more}}`;
/** Some 10 KB of an entry of some hundred bytes. */
const LARGER = map(element(`event.data.l.map(x, "${'é'.repeat(45)}")`));
/** Some 20 ms for each entry. */
const COSTLY = map(element('event.data.m.all(a, event.data.m.all(b, a + b == 2))'));

const ones = (count: number): string => `[${Array(count).fill(1).join(',')}]`;
const events = (count: number, records = 7) =>
  someEvents(count, { records }).map((one, n) => ({
    ...one,
    data: `{"n":${n},"l":${ones(100)},"m":${ones(n < 150 ? 200 : 1)}}`,
  }));

async function begin(
  world: World,
  receiver: TestReceiver,
  input: Partial<ConsumerInput>,
  max_in_flight = 4,
): Promise<string> {
  const target = await world.target(receiver.url, { max_in_flight });
  return world.consumer(target, { start: 'beginning', ...input });
}

const numbers = (elements: readonly Element[]): number[] => elements.map(({ n }) => n);
const sorted = (of: readonly number[]): number[] => of.toSorted((a, b) => a - b);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe.each(HOSTS)('sent by $by', ({ options }) => {
  test.concurrent.each<Ordering>(['record', 'stream', 'none'])(
    'a shape that makes entries larger fills no body beyond max_bytes, and with ordering %s each entry arrives once and in its order',
    async (ordering) => {
      await using world = await openWorld(options);
      await using receiver = await openReceiver();
      await world.append.events(events(60));
      const bounds = batch(50, { max_bytes: 50_000 });
      const consumer = await begin(world, receiver, { ordering, batch: bounds, body: LARGER });
      await world.caughtUp(consumer);
      const arrived = deliveredIn(receiver.received);
      expect(sorted(numbers(arrived))).toEqual(upTo(60));
      const bytes = receiver.received.map(({ body }) => Buffer.byteLength(body));
      expect(Math.max(...bytes)).toBeLessThanOrEqual(50_000);
      expect(Math.max(...bytes)).toBeGreaterThan(35_000); // as many go together as fit
      const newest = new Map<string, number>();
      for (const { record, n } of ordering === 'none' ? [] : arrived) {
        const lane = ordering === 'record' ? record : '';
        expect(n).toBeGreaterThan(newest.get(lane) ?? -1);
        newest.set(lane, n);
      }
      for (const one of receiver.received) {
        const [only, ...others] = elementsOf(one);
        expect(one.id).toMatch(others.length > 0 ? /^batch_/u : (only?.id ?? ''));
        expect(one.position).toBe((others.at(-1) ?? only)?.position);
      }
    },
  );

  test.concurrent('an entry that its shape makes larger than max_bytes goes alone', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    await world.append.events(events(9, 100));
    const body = map(element(`event.data.n == 4 ? event.data.l.map(x, "${'é'.repeat(45)}") : []`));
    const bounds = batch(50, { max_bytes: 5_000 });
    const consumer = await begin(world, receiver, { batch: bounds, body });
    await world.caughtUp(consumer);
    expect(receiver.received.map((one) => numbers(elementsOf(one)))).toContainEqual([4]);
    expect(sorted(numbers(deliveredIn(receiver.received)))).toEqual(upTo(9));
  });

  test.concurrent('entries of a batch of which no body can be made are parked alone, after one attempt, and the others arrive', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    await world.append.events(events(40, 100));
    const body = map(element('event.data.n in [0, 17, 18, 39] ? event.data.none : 1'));
    const consumer = await begin(world, receiver, { batch: batch(40), body }, 1);
    await until(async () => (await world.get(consumer)).parked === 4);
    await world.caughtUp(consumer);
    const { rows } = await world.db.query<{ position: number; attempt: number }>(
      `select position, attempt from attempts where error_code = 'BODY_FAILED' order by position`,
    );
    expect(rows).toEqual([1, 18, 19, 40].map((position) => ({ position, attempt: 1 })));
    expect(sorted(numbers(deliveredIn(receiver.received)))).toEqual(
      upTo(40).filter((n) => ![0, 17, 18, 39].includes(n)),
    );
    expect(receiver.received.length).toBeLessThanOrEqual(5);
    expect(await world.get(consumer)).toMatchObject({ status: 'active', failing_since: null });
  });

  test('an expression that costs much leaves turns to other work, alone and in batches', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    await world.append.events(events(120));
    for (const input of [{ batch: batch(100) }, {}]) {
      const turns = watchTurns();
      const consumer = await begin(world, receiver, { ...input, body: COSTLY }, 64);
      await world.caughtUp(consumer);
      const { longest, whole } = turns.stop();
      // A fraction of the whole, as the machine may be slow: without turns, most of it is in one piece.
      expect(longest).toBeLessThan(whole / 4);
    }
    const whole = receiver.received.filter(({ body }) => body.startsWith('{"events":['));
    expect(sorted(numbers(whole.flatMap(elementsOf)))).toEqual(upTo(120));
    expect(receiver.received.length - whole.length).toBe(120);
  });

  test.concurrent('a pause that is answered while a body is made sends nothing more, and resume sends everything once', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    // So many that making their bodies takes longer than any pause.
    const costly = someEvents(800).map((one, n) => ({
      ...one,
      data: `{"n":${n},"m":${ones(200)}}`,
    }));
    await world.append.events(costly);
    const consumer = await begin(world, receiver, { batch: batch(100), body: COSTLY });
    const path = `/v1/consumers/${consumer}`;
    await until(async () => (await world.get(consumer)).sender !== null);
    expect((await world.api.request('POST', `${path}/pause`)).status).toBe(200);
    const before = receiver.received.length;
    expect(before).toBeLessThan(8);
    const cheap = map(element('0'));
    expect((await world.api.request('PATCH', path, { body: cheap })).status).toBe(200);
    expect(receiver.received).toHaveLength(before);
    expect((await world.api.request('POST', `${path}/resume`)).status).toBe(200);
    await world.caughtUp(consumer);
    expect(sorted(numbers(deliveredIn(receiver.received)))).toEqual(upTo(800));
  });
});

test('costly expressions of many visited consumers together leave turns to other work', async () => {
  await using world = await openWorld(HOSTS[1]!.options);
  await using receiver = await openReceiver();
  const target = await world.target(receiver.url);
  const consumers = 40;
  for (let count = 0; count < consumers; count += 1) {
    await world.consumer(target, { body: COSTLY });
  }
  const [first, ...others] = events(3);
  await world.append.events([first!]); // by which all of them are visited
  await until(() => receiver.received.length === consumers, { timeoutMs: 60_000 });
  const turns = watchTurns();
  await world.append.events(others);
  await until(() => receiver.received.length === 3 * consumers, { timeoutMs: 60_000 });
  const { longest, whole } = turns.stop();
  expect(longest).toBeLessThan(whole / 4);
});

test('an edit of the body while an endpoint fails, for which no body of the first entry of a batch can be made, parks it and keeps trying', async () => {
  const consumer = { batch: batch(4) };
  await using failing = await openFailingConsumer(answer(429), { events: 4, consumer });
  const end = await unmakeFirst(failing);
  expect(end.reason).toBe('blocked'); // `deliver` continues, as entries are parked
  expect(await failing.parked()).toEqual([1]);
});

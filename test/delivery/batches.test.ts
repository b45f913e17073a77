import { Webhook } from 'standardwebhooks';
import { describe, expect, test, vi } from 'vitest';

import { batchId } from '../../src/delivery/batchMessage.ts';
import type { ConsumerBatch } from '../../src/schema/batch.ts';
import type { ConsumerInput } from '../../src/schema/consumer.ts';
import { deliveredIn, elementsOf, later, type Element } from '../support/batches.ts';
import { HOSTS } from '../support/hosts.ts';
import { until } from '../support/poll.ts';
import {
  accept,
  answer,
  openReceiver,
  type Respond,
  type TestReceiver,
} from '../support/receiver.ts';
import { openWorld, someEvents, type World } from '../support/world.ts';

vi.setConfig({ testTimeout: 120_000 });

const MB = 1_024 * 1_024;

function batch(max_entries: number, more: Partial<ConsumerBatch> = {}): ConsumerBatch {
  return { max_entries, max_bytes: MB, max_wait_ms: 100, ...more };
}

async function consumerOf(
  world: World,
  receiver: TestReceiver,
  given: Partial<ConsumerInput>,
  target: { max_in_flight?: number; timeout_ms?: number } = {},
): Promise<string> {
  return world.consumer(await world.target(receiver.url, target), given);
}

function positionsOf(elements: readonly Element[]): number[] {
  return elements.map(({ position }) => position);
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

function expectRecordsInOrder(elements: readonly Element[]): void {
  const newest = new Map<string, number>();
  for (const { record, position } of elements) {
    expect(position).toBeGreaterThan(newest.get(record) ?? 0);
    newest.set(record, position);
  }
}

/** Answers after a moment, and notes whether entries of one record were ever in two open requests. */
function watchLanes(laneOf: (one: Element) => string): { respond: Respond; clashes: number[] } {
  const open = new Map<string, number>();
  const clashes: number[] = [];
  const respond: Respond = (one, response) => {
    const lanes = [...new Set(elementsOf(one).map(laneOf))];
    for (const lane of lanes) {
      if (open.has(lane)) clashes.push(one.position);
      open.set(lane, one.position);
    }
    later(5, () => {
      for (const lane of lanes) open.delete(lane);
      accept(one, response);
    })(one, response);
  };
  return { respond, clashes };
}

describe.each(HOSTS)('$by', ({ options }) => {
  test.concurrent('a batch has exactly what single webhooks have inside, in order per record, and verifies as any webhook', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    await using single = await openReceiver();
    const data = JSON.stringify({ n: 0, text: 'Ünïcode 🐘 "quoted" \\ ,{}[]' });
    const target = await world.api.request('POST', '/v1/targets', {
      name: 'signed',
      base_url: receiver.url,
    });
    const consumer = await world.consumer(target.body.id as string, {
      batch: batch(20),
      start: 'beginning',
    });
    const plain = await consumerOf(world, single, { start: 'beginning' });
    await world.append.events([
      ...someEvents(3, { data, changes: '{"old":1.50}' }),
      ...someEvents(97, { from: 3, records: 10 }),
    ]);
    await world.caughtUp(consumer);
    await world.caughtUp(plain);

    const arrived = deliveredIn(receiver.received);
    expect(positionsOf(arrived).toSorted((a, b) => a - b)).toEqual(upTo(100));
    expectRecordsInOrder(arrived);
    const alone = new Map(single.received.map((one) => [one.position, one.body]));
    for (const { position, text } of arrived) expect(`{"event":${text}}`).toBe(alone.get(position));

    const webhook = new Webhook(target.body.signing_secret as string);
    for (const one of receiver.received) {
      const elements = elementsOf(one);
      expect(elements.length).toBeLessThanOrEqual(20);
      expect(one.position).toBe(elements.at(-1)?.position);
      expect(one.headers['content-type']).toBe('application/json');
      expect(() => webhook.verify(one.body, one.headers as Record<string, string>)).not.toThrow();
      const members = elements.map(({ id, position }) => ({ messageId: id, position }));
      expect(one.id).toBe(elements.length === 1 ? elements[0]?.id : batchId(consumer, members));
    }
    expect(receiver.received.length).toBeLessThan(30);

    const [first] = receiver.received as [Got];
    const found = await world.api.request('GET', `/v1/search?q=${first.id}`);
    const { length: size } = elementsOf(first);
    expect(found.body.data).toMatchObject([
      { kind: 'batch', consumer_id: consumer, batch_size: size, outcome: 'delivered' },
    ]);
    const path = `/v1/consumers/${consumer}/attempts?batch_id=${first.id}`;
    const { body: attempts } = await world.api.request('GET', path);
    const places = attempts.data.map(({ position }: { position: number }) => position);
    expect(places.toSorted((a: number, b: number) => a - b)).toEqual(
      positionsOf(elementsOf(first)),
    );
  });

  test.concurrent('a batch that is full goes immediately, and the last incomplete one once its oldest entry has waited', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    const consumer = await consumerOf(world, receiver, { batch: batch(2, { max_wait_ms: 0 }) });
    await world.append.events(someEvents(2));
    await world.caughtUp(consumer); // it runs, and reads ahead as others do
    // Far longer than a full batch needs, however slow the machine is.
    await patch(world, consumer, { batch: batch(10, { max_wait_ms: 10_000 }) });
    const before = receiver.received.length;
    const appendedAt = performance.now();
    await world.append.events(someEvents(25, { from: 2 }));
    await until(() => receiver.received.length === before + 3);
    const [first, second, last] = receiver.received.slice(before) as [Got, Got, Got];
    expect([first, second, last].map((one) => elementsOf(one).length)).toEqual([10, 10, 5]);
    expect(Math.max(first.at, second.at) - appendedAt).toBeLessThan(10_000);
    expect(last.at - appendedAt).toBeGreaterThanOrEqual(10_000);
  });

  test.concurrent('an endpoint that asks to wait gets the same batch again, under the same id, and then the others', async () => {
    await using world = await openWorld(options);
    let refusing = true;
    await using receiver = await openReceiver((one, response) => {
      if (refusing) answer(503, { 'retry-after': '2' })(one, response);
      else accept(one, response);
    });
    const input = { batch: batch(10), ordering: 'stream', start: 'beginning' } as const;
    await world.append.events(someEvents(30));
    const consumer = await consumerOf(world, receiver, input);
    await until(() => receiver.received.length >= 2);
    refusing = false;
    await world.caughtUp(consumer);
    const [first, second] = receiver.received as [Got, Got];
    expect(elementsOf(first)).toHaveLength(10);
    expect([second.id, second.body]).toEqual([first.id, first.body]);
    expect([first.attempt, second.attempt]).toEqual([1, 2]);
    const [, delivered] = [first, receiver.received.find(({ status }) => status === 204)];
    expect([delivered?.id, delivered?.body]).toEqual([first.id, first.body]);
    expect(positionsOf(deliveredIn(receiver.received))).toEqual(upTo(30));
    const failed = (await attempts(world, consumer)).filter((one) => one['outcome'] === 'failed');
    const numbers = (attempt: number) =>
      failed.filter((one) => one['attempt'] === attempt).map((one) => one['position']);
    expect(numbers(1).toSorted((a, b) => Number(a) - Number(b))).toEqual(upTo(10));
    expect(numbers(2)).toEqual([1]); // of what is tried again, the head alone
  });

  test.concurrent('entries that an edit of the filter removes leave the batch in which they wait', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    const consumer = await consumerOf(world, receiver, {
      batch: batch(10, { max_wait_ms: 10_000 }),
      syncs: ['stays', 'goes'],
    });
    const some = ['stays', 'goes', 'stays', 'goes', 'stays'];
    for (const [from, syncId] of some.entries())
      await world.append.events(someEvents(1, { syncId, from, records: 10 }));
    await until(async () => (await world.get(consumer)).sender !== null);
    const edit = { remove: { syncs: ['goes'] } };
    const { status } = await world.api.request('POST', `/v1/consumers/${consumer}/filter`, edit);
    expect(status).toBe(200);
    expect(receiver.received).toEqual([]);
    // What fills the batch, now that some have left it, makes it go.
    await world.append.events(someEvents(7, { syncId: 'stays', from: 5 }));
    await world.caughtUp(consumer);
    expect(receiver.received.map((one) => positionsOf(elementsOf(one)))).toEqual([
      [1, 3, 5, 6, 7, 8, 9, 10, 11, 12],
    ]);
  });
});

type Got = TestReceiver['received'][number];

test.concurrent('records are sent in batches, each in its newest version', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const consumer = await consumerOf(world, receiver, { stream: 'records', batch: batch(50) });
  const records = upTo(60).map((n) => ({
    sync_id: 's',
    collection_id: 'shop:customer',
    upstream_id: `c${n}`,
    data: { n },
  }));
  await world.api.request('POST', '/v1/records', { records });
  await world.caughtUp(consumer);
  const arrived = deliveredIn(receiver.received);
  expect(arrived.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual(upTo(60));
  expect(receiver.received.every(({ body }) => body.startsWith('{"records":['))).toBe(true);
});

test.concurrent('ordering "stream": batches are consecutive entries, one at a time', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const { respond, clashes } = watchLanes(() => 'stream');
  receiver.respond = respond;
  await world.append.events(someEvents(205, { records: 7 }));
  const input = { batch: batch(50), ordering: 'stream', start: 'beginning' } as const;
  const consumer = await consumerOf(world, receiver, input);
  await world.caughtUp(consumer);
  expect(positionsOf(deliveredIn(receiver.received))).toEqual(upTo(205));
  expect(clashes).toEqual([]);
  expect(receiver.received.length).toBeLessThan(20);
});

test.concurrent('ordering "record": a stream of few records fills batches, and no record is ever in two at a time', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const { respond, clashes } = watchLanes(({ record }) => record);
  receiver.respond = respond;
  await world.append.events(someEvents(1_000, { records: 7 }));
  const input = { batch: batch(50), start: 'beginning' } as const;
  const consumer = await consumerOf(world, receiver, input, { max_in_flight: 8 });
  await world.caughtUp(consumer);
  const arrived = deliveredIn(receiver.received);
  expect(positionsOf(arrived).toSorted((a, b) => a - b)).toEqual(upTo(1_000));
  expectRecordsInOrder(arrived);
  expect(clashes).toEqual([]);
  expect(receiver.received.length).toBeLessThan(60);
});

test.concurrent('ordering "none": batches of one record are in flight concurrently', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver(later(20, accept));
  await world.append.events(someEvents(1_000, { records: 1 }));
  const input = { batch: batch(20), ordering: 'none', start: 'beginning' } as const;
  const consumer = await consumerOf(world, receiver, input, { max_in_flight: 8 });
  await world.caughtUp(consumer);
  const arrived = positionsOf(deliveredIn(receiver.received));
  expect(arrived.toSorted((a, b) => a - b)).toEqual(upTo(1_000));
  expect(receiver.mostOpen).toBeGreaterThan(1);
  expect(receiver.mostOpen).toBeLessThanOrEqual(8);
});

test.concurrent('a body has no more than max_bytes, and an entry that is larger goes alone', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const sized = (bytes: number, from: number) =>
    someEvents(1, {
      data: JSON.stringify({ n: from, filler: 'é'.repeat(bytes / 2) }),
      from,
      records: 99,
    });
  const sizes = [300, 300, 300, 300, 4_000, 300, 300, 300, 300, 300];
  await world.append.events(sizes.flatMap(sized));
  const input = { batch: batch(100, { max_bytes: 2_048 }), start: 'beginning' } as const;
  const consumer = await consumerOf(world, receiver, input);
  await world.caughtUp(consumer);
  const bytes = receiver.received.map(({ body }) => Buffer.byteLength(body));
  const large = receiver.received.filter((_, index) => (bytes[index] ?? 0) > 2_048);
  expect(large.map((one) => positionsOf(elementsOf(one)))).toEqual([[5]]);
  expect(positionsOf(deliveredIn(receiver.received)).toSorted((a, b) => a - b)).toEqual(upTo(10));
  expect(Math.max(...bytes.filter((one) => one <= 2_048))).toBeGreaterThan(1_200);
});

test.concurrent('a batch that is too large for the endpoint (413) is halved until it is taken, and nothing is lost or repeated', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver((one, response) => {
    (elementsOf(one).length > 3 ? answer(413) : accept)(one, response);
  });
  await world.append.events(someEvents(40, { records: 4 }));
  const consumer = await consumerOf(world, receiver, { batch: batch(16), start: 'beginning' });
  await world.caughtUp(consumer);
  const arrived = deliveredIn(receiver.received);
  expect(positionsOf(arrived).toSorted((a, b) => a - b)).toEqual(upTo(40));
  expectRecordsInOrder(arrived);
  expect((await world.get(consumer)).parked).toBe(0);
});

test.concurrent('an edit of the batch takes effect from the next request on, and nothing is lost or repeated', async () => {
  await using world = await openWorld();
  const isSingle = ({ body }: Got): boolean => body.startsWith('{"event":{');
  let editing = false;
  const slowly = later(() => (editing ? 2_000 : 100), accept); // so that much is left when an edit is in force
  await using receiver = await openReceiver((one, response) => {
    (isSingle(one) ? accept : slowly)(one, response);
  });
  await world.append.events(someEvents(5_000, { records: 200 }));
  const input = { batch: batch(10), start: 'beginning' } as const;
  const consumer = await consumerOf(world, receiver, input, { max_in_flight: 2 });
  await until(() => receiver.received.length > 10);
  editing = true;
  await patch(world, consumer, { batch: batch(100) });
  const larger = receiver.received.length;
  await until(() => receiver.received.length > larger + 3);
  await patch(world, consumer, { batch: null });
  const answered = receiver.received.length;
  await world.caughtUp(consumer);
  const since = receiver.received.findIndex(isSingle);
  expect(since).toBeLessThanOrEqual(answered);
  expect(receiver.received.slice(since).every(isSingle)).toBe(true);
  expect(receiver.received.length - since).toBeGreaterThan(100);
  const sizes = receiver.received.slice(larger, since).map((one) => elementsOf(one).length);
  expect(Math.max(...sizes)).toBe(100);
  const arrived = receiver.received.flatMap((one) =>
    isSingle(one) ? [one.position] : positionsOf(elementsOf(one)),
  );
  expect(arrived.toSorted((a, b) => a - b)).toEqual(upTo(5_000));
});

test.concurrent('attempts have a row for each entry, with the id that was sent and how many came with it', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const consumer = await consumerOf(world, receiver, { batch: batch(5), start: 'beginning' });
  await world.append.events(someEvents(10));
  await world.caughtUp(consumer);
  receiver.respond = answer(400);
  await world.append.events(someEvents(2, { from: 10 }));
  await until(async () =>
    (await attempts(world, consumer)).some(({ outcome }) => outcome === 'failed'),
  );
  receiver.respond = accept;
  await world.caughtUp(consumer);
  const all = await attempts(world, consumer);
  for (const one of receiver.received) {
    const elements = elementsOf(one);
    for (const { position, id } of elements) {
      expect(all).toContainEqual(
        expect.objectContaining({
          position,
          message_id: one.id,
          event_id: id,
          batch_size: elements.length,
          outcome: one.status === 204 ? 'delivered' : 'failed',
        }),
      );
    }
  }
  const [first] = receiver.received as [Got];
  const ofEvent = await world.api.request(
    'GET',
    `/v1/attempts?event_id=${elementsOf(first)[0]?.id}`,
  );
  expect(ofEvent.body.data).toEqual([
    expect.objectContaining({ message_id: first.id, batch_size: elementsOf(first).length }),
  ]);
});

async function attempts(world: World, consumer: string): Promise<Record<string, unknown>[]> {
  const { body } = await world.api.request('GET', `/v1/consumers/${consumer}/attempts?limit=200`);
  return body.data as Record<string, unknown>[];
}

async function patch(world: World, consumer: string, body: object): Promise<void> {
  const { status } = await world.api.request('PATCH', `/v1/consumers/${consumer}`, body);
  expect(status).toBe(200);
}

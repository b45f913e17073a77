// conditions in the API: checked when they are saved, shown, and tried before
import { afterAll, beforeAll, expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import type { TestApp } from '../support/app.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';

let opened: ConsumersApi;
let api: TestApp;
beforeAll(async () => {
  opened = await openConsumersApi();
  ({ api } = opened);
});
afterAll(() => opened[Symbol.asyncDispose]());

const VIP = 'event.data.amount > 100 && "vip" in event.data.tags';

test('a condition is stored as it is written, and shown', async () => {
  const made = await opened.create({ where: VIP });
  expect(made.where).toBe(VIP);
  expect((await opened.read(made.id)).where).toBe(VIP);
  expect((await opened.create()).where).toBeNull();
  expect((await opened.create({ stream: 'records', where: 'record.deleted' })).where).toBe(
    'record.deleted',
  );
});

test('a text that is no condition is refused with its line, its column and what is allowed, wherever it is given', async () => {
  const { id } = await opened.create();
  const ways: [method: string, path: string, body: object][] = [
    ['POST', '/v1/consumers', { name: 'c', target_id: opened.targetId, stream: 'events' }],
    ['PATCH', `/v1/consumers/${id}`, {}],
    ['POST', `/v1/consumers/${id}/filter`, {}],
    ['POST', '/v1/consumers/preview', { stream: 'events' }],
  ];
  for (const [method, path, body] of ways) {
    const where = 'event.data.a == 1 &&\n  evnt.data.b';
    const refused = await api.request(method, path, { ...body, where });
    expect([path, refused.status, refused.body.code]).toEqual([path, 422, 'invalid_request']);
    const detail = 'There is no variable evnt. The variables of this stream are event and changes.';
    expect(refused.body.errors).toEqual([{ pointer: '/where', detail, line: 2, column: 3 }]);
    expect(refused.body.detail).toBe(`/where, line 2, column 3: ${detail}`);
  }
  expect((await opened.read(id)).filter_version).toBe(1);
});

test('a condition has to be true or false, and not too long', async () => {
  for (const [where, detail] of [
    ['event.data.a == 1 ? "a" : "b"', 'this expression is a text'],
    ['"x"', 'this expression is a text'],
    ['event.data.a + 1', 'this expression is computed by +. Compare it, for example with == or >.'],
    ['event.data.a * 2', 'this expression is a number'],
    ['-event.data.a', 'this expression is a number'],
    ['{"a": event.data.a}', 'this expression is an object'],
    ['', 'must not be empty'],
    ['e'.repeat(4097), 'must have at most 4096 characters'],
    [7, 'must be a string'],
  ] as const) {
    const input = { name: 'c', target_id: opened.targetId, stream: 'events', where };
    const { status, body } = await api.request('POST', '/v1/consumers', input);
    expect([where, status]).toEqual([where, 422]);
    expect(body.errors[0].pointer).toBe('/where');
    expect(body.errors[0].detail).toContain(detail);
  }
});

test('what waits for a consumer with a condition is an upper bound, and says so', async () => {
  await append([{ amount: 1 }, { amount: 2 }, { amount: 3 }]);
  const consumer = await opened.create({ where: 'event.data.amount > 2', start: 'beginning' });
  expect(consumer.lag.exact).toBe(false);
  expect(consumer.lag.entries).toBeGreaterThanOrEqual(3);
  const caughtUp = await opened.create({ where: 'event.data.amount > 2' });
  expect(caughtUp.lag).toEqual({ entries: 0, seconds: 0, exact: true });
});

test('a preview says how many of the newest entries match, which, and why others do not', async () => {
  await append([
    { amount: 500, tags: ['vip'] },
    { amount: 20, tags: ['vip'] },
    { amount: 700 },
    { amount: 900, tags: ['vip', 'new'] },
  ]);
  const asked = { stream: 'events', syncs: ['orders'], where: VIP, last: 4 };
  const { status, body } = await api.request('POST', '/v1/consumers/preview', asked);
  expect(status).toBe(200);
  expect(body).toMatchObject({ scanned: 4, listed: 4, tried: 4, matched: 2, failed: 1 });
  const amounts = (entries: { data: { amount: number } }[]) =>
    entries.map((one) => one.data.amount);
  expect(amounts(body.sample)).toEqual([900, 500]);
  expect(amounts(body.others.map(({ entry }: { entry: never }) => entry))).toEqual([700, 20]);
  expect(body.others.map(({ why }: { why: string }) => why)).toEqual([
    'There is no field "tags" (line 1, column 48).',
    'The condition is false.',
  ]);
});

test('a preview shows at most three entries that are left out for the same reason, so that others are seen as well', async () => {
  await append([
    { amount: 'much' },
    { amount: 1 },
    ...Array.from({ length: 20 }, (_, n) => ({ total: n })),
  ]);
  const asked = { stream: 'events', where: 'event.data.amount > 100', last: 22 };
  const { body } = await api.request('POST', '/v1/consumers/preview', asked);
  expect(body).toMatchObject({ tried: 22, matched: 0, failed: 21 });
  const reasons = body.others.map(({ why }: { why: string }) => why.split(/ \(|;|\.$/u, 1).join());
  expect(reasons).toEqual([
    'There is no field "amount"',
    'There is no field "amount"',
    'There is no field "amount"',
    'The condition is false',
    "This operator can't be used with values of these types: text > number",
  ]);
});

test('a preview without a condition says that all entries which pass the lists match', async () => {
  const asked = { stream: 'events', syncs: ['orders'], last: 4 };
  const { body } = await api.request('POST', '/v1/consumers/preview', asked);
  expect(body).toMatchObject({
    scanned: 4,
    listed: 4,
    tried: 4,
    matched: 4,
    failed: 0,
    others: [],
  });
});

test('a preview reads large entries bit by bit, and tries them all', async () => {
  const large = 'x'.repeat(900_000);
  await append(Array.from({ length: 12 }, (_, n) => ({ n, large })));
  const asked = { stream: 'events', where: 'event.data.n % 2 == 0', last: 12 };
  const { body } = await api.request('POST', '/v1/consumers/preview', asked);
  expect(body).toMatchObject({ listed: 12, tried: 12, matched: 6, failed: 0 });
}, 60_000);

/** Appends events of the sync `orders` with this data, in this order. */
async function append(all: object[]): Promise<void> {
  await api.appender.events(
    all.map((data) => ({
      eventId: newId(),
      event: 'created' as const,
      syncId: 'orders',
      collectionId: 'shop:order',
      upstreamId: newId(),
      data: JSON.stringify(data),
      changes: null,
      upstreamUpdatedAt: null,
    })),
  );
}

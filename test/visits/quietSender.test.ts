import { afterEach, expect, test } from 'vitest';

import type { Outcome } from '../../src/rules/outcome.ts';
import { ASKED_S, BUSY, UNAVAILABLE } from '../support/heldEndpoint.ts';
import { COMMITTED_MS, LEASE_MS, LINGER_MS, OF_A } from '../support/quietHost.ts';
import { createQuietVisit } from '../support/quietVisit.ts';

const REFUSED: Outcome = { ...UNAVAILABLE, status: 400, code: 'HTTP_4XX' } as Outcome;
const ALL = { requests: 100, bytes: 64 * 1024 * 1024 };

const visit = createQuietVisit();
const { open, positions, answer, answerAll } = visit;
afterEach(visit.end);

/** While the lane closes, a request fails whose entry is no longer in memory; no page is read before `release`. */
function failWhileClosing(outcome: Outcome): { release: () => void; closed: Promise<void> } {
  visit.host.arrive({});
  visit.host.forget();
  const release = visit.host.holdPages();
  const closed = visit.host.close();
  answer(outcome);
  return { release, closed };
}

test('entries are sent one at a time and in order, and stored; after a while without an entry the consumer is released', async () => {
  const { store, handedOver } = await open();
  visit.host.arrive({}, { sync: 'b' }, {});
  expect(positions()).toEqual([1]);
  answer();
  expect(visit.host.requests).toMatchObject([{ position: 3, attempt: 1 }]);
  answer();
  await visit.host.pass(COMMITTED_MS);
  expect(store.row).toMatchObject({ position: 3, successes: [1, 3], attempts: [], held: true });
  await visit.host.pass(LINGER_MS + 100);
  expect(store.row).toMatchObject({ held: false, released: { idle: true, head: null } });
  expect(store.row.released?.wants).toBeUndefined();
  expect(handedOver).toEqual([]);
});

test('a request that fails is the first attempt of the drain that takes over: it is stored once, and not made twice', async () => {
  const { store, model, handedOver } = await open();
  visit.host.arrive({}, {});
  answer(UNAVAILABLE);
  await visit.host.pass(2 * COMMITTED_MS);
  expect(model.sent).toEqual([1]);
  expect(store.row).toMatchObject({ position: 0, successes: [], held: false });
  expect(store.row.attempts).toMatchObject([{ position: 1, attempt: 1, outcome: 'failed' }]);
  expect(store.row.released).toMatchObject({ wants: 'drain' });
  expect(store.row.head).toMatchObject({ position: 1, attempt: 1 });
  expect(handedOver).toEqual([1]);
});

test('a message that the endpoint refuses is tried again by the drain, as the second attempt', async () => {
  const { store, model } = await open();
  visit.host.arrive({});
  answer(REFUSED);
  await visit.host.pass(500);
  expect(visit.host.requests).toMatchObject([{ position: 1, attempt: 2 }]);
  answer();
  await visit.host.pass(COMMITTED_MS);
  expect(store.row).toMatchObject({ position: 1, successes: [] });
  expect(store.row.attempts).toMatchObject([
    { attempt: 1, outcome: 'failed', status: 400 },
    { attempt: 2, outcome: 'delivered', status: 204 },
  ]);
  expect(model.sent).toEqual([1, 1]);
});

test('an edit takes effect during a request, which continues and is stored once', async () => {
  const { store, model } = await open();
  visit.host.arrive({ collection: 'm:y' });
  store.refilter({ ...OF_A, collections: ['m:x'] });
  visit.host.notify();
  await visit.host.pass(2 * COMMITTED_MS);
  expect(store.row.confirmed.version).toBe(2);
  expect(store.row.config.filters.at(-1)?.filterFrom).toBe(1);
  visit.host.arrive({ collection: 'm:y' }, {});
  expect(positions()).toEqual([1]);
  await answerAll();
  expect(store.row.successes).toEqual([1, 3]);
  expect(model.sent).toEqual([1, 3]);
});

test('an edit that a commit notices while no request is open takes effect as well', async () => {
  const { store } = await open();
  store.refilter({ ...OF_A, syncs: ['a', 'b'] });
  visit.host.notify();
  await visit.host.pass(2 * COMMITTED_MS);
  expect(store.row.confirmed.version).toBe(2);
  visit.host.arrive({ sync: 'b' });
  expect(positions()).toEqual([1]);
  await answerAll();
});

test.each([
  ['record', 10],
  ['stream', 1],
  ['none', 10],
] as const)(
  'more than 16 entries are sent by a drain, which keeps the order: %s',
  async (ordering, count) => {
    const { model } = await open({ ordering, requests: 1_000 });
    visit.host.arrive({});
    visit.host.arrive(...Array.from({ length: 20 }, () => ({})));
    await visit.host.pass(0);
    expect(visit.host.requests).toHaveLength(count);
    await answerAll();
    expect(model.sent).toHaveLength(21);
  },
);

test('an entry is not skipped when another consumer triggers a commit at the moment at which the entry is read', async () => {
  const { store, model } = await open();
  visit.host.arrive({});
  answer();
  visit.host.follow('b', () => void visit.host.flush());
  visit.host.arrive({ sync: 'b' }, {}); // the other one is called first
  await visit.host.pass(COMMITTED_MS);
  expect(positions()).toEqual([3]);
  await answerAll();
  expect(model.sent).toEqual([1, 3]);
  expect(store.row.position).toBe(3);
});

test('an exception at a tick ends that visit alone, and the consumer goes to a drain of its own', async () => {
  const { store, handedOver } = await open();
  visit.host.arrive({});
  const [request] = visit.host.requests;
  const { answer: answered } = request!;
  request!.answer = () => {
    request!.answer = answered;
    throw new Error('no code expects this');
  };
  await visit.host.pass(61_000); // the request is given up at a tick, which throws
  expect(handedOver).toEqual([1]);
  expect(store.row).toMatchObject({ position: 0, held: false, released: { wants: 'drain' } });
  expect(visit.host.model.wrong.splice(0)).toEqual(['1 is cut while the lease holds']); // what crashes is not waited for
});

test('16 entries are sent without a drain', async () => {
  await open();
  visit.host.arrive(...Array.from({ length: 16 }, () => ({})));
  for (let position = 1; position <= 16; position += 1) {
    await visit.host.pass(0);
    expect(positions()).toEqual([position]);
    answer();
  }
  await answerAll();
});

test('entries that are no longer in memory are read by a drain', async () => {
  const { model } = await open();
  visit.host.append({}, {}, {});
  visit.host.forget();
  await visit.host.pass(COMMITTED_MS);
  expect(positions()).toEqual([1, 2, 3]);
  await answerAll();
  expect(model.sent).toEqual([1, 2, 3]);
});

test('an entry that comes while a hand-over waits for settled entries to be stored is not skipped', async () => {
  const { store } = await open();
  visit.host.arrive({});
  answer();
  store.hold();
  await visit.host.pass(COMMITTED_MS); // the commit is under way
  visit.host.arrive({});
  answer(UNAVAILABLE);
  visit.host.arrive({}, { sync: 'b' });
  await visit.host.pass(COMMITTED_MS);
  expect(visit.host.requests).toEqual([]);
  store.letThrough();
  await visit.host.pass(4 * COMMITTED_MS);
  expect(store.row).toMatchObject({ position: 1, head: { position: 2 } });
  await visit.host.begin();
  await answerAll();
});

test('an entry that comes while a release waits for settled entries to be stored is not skipped', async () => {
  const { store } = await open();
  visit.host.arrive({});
  answer();
  store.hold();
  visit.host.visits.endQuietest(1);
  await visit.host.pass(0);
  visit.host.arrive({ sync: 'b' }, {});
  store.letThrough();
  await visit.host.pass(COMMITTED_MS);
  expect(store.row).toMatchObject({ held: false, released: { idle: true } });
  expect(store.row.position).toBeLessThan(3);
  await visit.host.begin();
  await answerAll();
});

test('the position moves past entries for which the tail does not call the sender, but not past one for which it does', async () => {
  const { store } = await open();
  visit.host.arrive({});
  answer();
  visit.host.arrive({ sync: 'b' }, { sync: 'b' });
  await visit.host.pass(COMMITTED_MS);
  expect(store.row.position).toBe(3);
  visit.host.arrive({ sync: 'b' });
  visit.host.arrive({});
  visit.host.arrive({ sync: 'b' });
  visit.host.notify();
  await visit.host.pass(COMMITTED_MS);
  expect(store.row.position).toBe(4);
  await answerAll();
});

test('a version that is superseded before its turn is not sent', async () => {
  const { store, model } = await open({ stream: 'records' });
  visit.host.arrive({ record: 'x' }, { record: 'y' });
  visit.host.arrive({ record: 'y' });
  answer();
  expect(positions()).toEqual([3]);
  await answerAll();
  expect(model.sent).toEqual([1, 3]);
  expect(store.row.successes).toEqual([1, 3]);
});

test('a drain that takes over sends no newer version of a record during a request with the older one', async () => {
  const { store, model } = await open({ stream: 'records' });
  visit.host.arrive({ record: 'x' });
  visit.host.arrive({ record: 'x' }, ...Array.from({ length: 17 }, () => ({})));
  await visit.host.pass(COMMITTED_MS);
  expect(positions()).toContain(1);
  expect(positions()).not.toContain(2);
  await answerAll();
  expect(store.row.position).toBe(19);
  expect(model.sent.filter((position) => position <= 2)).toEqual([1, 2]);
});

test('an endpoint that asks to wait is not asked with a newer version of the record', async () => {
  const { model } = await open({ stream: 'records', ownRetriesMs: 60_000 });
  visit.host.arrive({ record: 'x' });
  visit.host.arrive({ record: 'x' });
  answer(BUSY);
  await visit.host.pass((ASKED_S - 0.5) * 1_000);
  expect(positions()).toEqual([]);
  await visit.host.pass(2_000);
  expect(positions()).toEqual([2]);
  await answerAll();
  expect(model.sent).toEqual([1, 2]);
});

test('an entry whose request is open is not sent again when an edit is in force before a drain has read the entry', async () => {
  const { store, model } = await open();
  visit.host.arrive({});
  expect(positions()).toEqual([1]);
  visit.host.forget();
  const release = visit.host.holdPages();
  store.retarget();
  visit.host.notify();
  await visit.host.pass(2 * COMMITTED_MS);
  release();
  await visit.host.pass(2 * COMMITTED_MS);
  expect(positions()).toEqual([1]);
  await answerAll();
  expect(model.sent).toEqual([1]);
});

test('a failure that comes while its lane closes is stored with when to try again, also when a drain has to read the entry first', async () => {
  const { store, model } = await open();
  const { release, closed } = failWhileClosing(BUSY);
  await visit.host.pass(500);
  release();
  await visit.host.pass(500);
  await closed;
  expect(store.row).toMatchObject({ held: false, head: { position: 1, attempt: 1 } });
  expect(store.row.attempts).toMatchObject([{ position: 1, attempt: 1, outcome: 'failed' }]);
  expect(model.sent).toEqual([1]);
});

test('a lane that closes does not wait for a drain that never gets the entry that failed', async () => {
  const { store } = await open();
  const { release, closed } = failWhileClosing(UNAVAILABLE);
  await visit.host.pass(LEASE_MS);
  await closed;
  expect(store.row).toMatchObject({ position: 0, successes: [] });
  release();
});

test('a lane that closes does not wait for an entry that has failed and that an edit has closed', async () => {
  const { store } = await open();
  const { release, closed } = failWhileClosing(UNAVAILABLE);
  store.refilter({ ...OF_A, syncs: ['b'] });
  visit.host.notify();
  await visit.host.pass(2 * COMMITTED_MS);
  release();
  await visit.host.pass(4 * COMMITTED_MS);
  await closed;
  expect(store.row).toMatchObject({ held: false, head: null });
});

test('during a request with a superseded version the lease is kept', async () => {
  const { store } = await open({ stream: 'records' });
  visit.host.arrive({ record: 'x' });
  visit.host.arrive({ record: 'x' });
  store.retarget();
  visit.host.notify();
  await visit.host.pass(2 * COMMITTED_MS);
  const closed = visit.host.close();
  await visit.host.pass(500);
  expect(store.row.held).toBe(true);
  expect(positions()).toEqual([1]);
  answer();
  await visit.host.pass(COMMITTED_MS);
  answer(); // what was to be sent by then has been sent
  await visit.host.pass(2 * COMMITTED_MS);
  await closed;
  expect(store.row.held).toBe(false);
});

test.each(['requests', 'bytes'] as const)(
  'without room in the budget of %s an entry waits until there is room',
  async (of) => {
    const { budget } = await open();
    budget[of].take(ALL[of]);
    visit.host.arrive({});
    await visit.host.pass(200);
    expect(positions()).toEqual([]);
    budget[of].take(-ALL[of]);
    expect(positions()).toEqual([1]);
    await answerAll();
  },
);

test.each(['requests', 'bytes'] as const)(
  'room in the budget of %s is noticed, even if another sender is notified first',
  async (of) => {
    const { budget } = await open();
    budget[of].take(ALL[of]);
    budget[of].wait(() => undefined);
    visit.host.arrive({});
    budget[of].take(-ALL[of]);
    await visit.host.pass(200);
    expect(positions()).toEqual([1]);
    await answerAll();
  },
);

test('a configuration that a visit can’t confirm is confirmed by a drain, and entries are sent meanwhile', async () => {
  const { store, model, begin } = await open({ claimed: false });
  store.retarget();
  store.refuseConfirmations(true);
  await begin();
  visit.host.arrive({});
  expect(positions()).toEqual([1]);
  await visit.host.pass(LEASE_MS);
  expect(store.row.confirmed.targetVersion).toBe(1);
  store.refuseConfirmations(false);
  await visit.host.pass(LEASE_MS);
  expect(store.row.confirmed.targetVersion).toBe(2);
  expect(positions()).toEqual([1]);
  await answerAll();
  expect(model.sent).toEqual([1]);
});

test.each(['record', 'stream', 'none'] as const)(
  'while the endpoint is slow, new entries wait their turn: %s',
  async (ordering) => {
    const { model } = await open({ ordering });
    for (let count = 0; count < 6; count += 1) visit.host.arrive({ record: 'x' }, { sync: 'b' });
    await visit.host.pass(3_000);
    expect(positions()).toEqual([1]);
    await answerAll();
    expect(model.sent).toEqual([1, 3, 5, 7, 9, 11]);
  },
);

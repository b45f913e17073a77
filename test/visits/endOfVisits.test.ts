import { afterEach, expect, test } from 'vitest';

import { UNAVAILABLE } from '../support/heldEndpoint.ts';
import { COMMITTED_MS, LEASE_MS, LINGER_MS } from '../support/quietHost.ts';
import { createQuietVisit } from '../support/quietVisit.ts';

const visit = createQuietVisit();
const { open, positions, answer, answerAll } = visit;
afterEach(visit.end);

test('a visit that is fenced during a request cuts the request, and stores nothing', async () => {
  const { store, handedOver } = await open();
  visit.host.arrive({});
  visit.host.fence();
  visit.host.notify();
  await visit.host.pass(COMMITTED_MS);
  expect(visit.host.requests).toEqual([]);
  expect(store.row).toMatchObject({ position: 0, released: null });
  expect(visit.host.visits.size).toBe(0);
  expect(handedOver).toEqual([]);
});

test.each([
  ['hands over', () => answer(UNAVAILABLE)],
  ['releases its consumer', () => void visit.host.close()],
])('a visit that is fenced while it %s stores and releases nothing', async (_what, begin) => {
  const { store, handedOver } = await open();
  visit.host.arrive({});
  answer();
  store.hold();
  await visit.host.pass(COMMITTED_MS);
  visit.host.arrive({});
  if (begin.length > 0) answer(); // it lets go when its request has ended
  begin();
  if (visit.host.requests.length > 0) answer();
  visit.host.fence();
  store.letThrough();
  await visit.host.pass(2 * COMMITTED_MS);
  expect(store.row).toMatchObject({ position: 0, successes: [], attempts: [], released: null });
  expect(visit.host.visits.size).toBe(0);
  expect(handedOver).toEqual([]);
});

test('a visit whose consumer another sender has taken before the release does not signal its workflow', async () => {
  const { store, handedOver } = await open();
  visit.host.visits.endQuietest(1);
  visit.host.fence();
  await visit.host.pass(COMMITTED_MS);
  expect(store.row.released).toBeNull();
  expect(visit.host.visits.size).toBe(0);
  expect(handedOver).toEqual([]);
});

test('outcomes that can’t be stored end the visit, and the consumer is handed over to a drain', async () => {
  const { store, handedOver, reasons, log } = await open();
  visit.host.arrive({}, {});
  store.refuseCommits(true);
  answer();
  await visit.host.pass(2 * COMMITTED_MS);
  expect(visit.host.requests).toEqual([]);
  expect(store.row).toMatchObject({ position: 0, released: { wants: 'drain' } });
  expect([handedOver, reasons]).toEqual([[1], ['failed']]);
  expect(log.join('')).toContain('a visit ended with an error');
  visit.host.model.wrong.splice(0); // the open request was cut, and what was delivered is unknown
});

test('a lane that ends waits for a request: its success is stored, and another lane continues', async () => {
  const { store, handedOver } = await open();
  visit.host.arrive({}, {});
  const closed = visit.host.close();
  await visit.host.pass(COMMITTED_MS);
  expect(positions()).toEqual([1]);
  answer();
  await visit.host.pass(2 * COMMITTED_MS);
  await closed;
  expect(positions()).toEqual([]);
  expect(store.row).toMatchObject({ position: 1, successes: [1], released: { wants: 'visit' } });
  expect(handedOver).toEqual([]);
});

test('a visit that ends while Postgres is away does not hand over its consumer: the lane releases it later', async () => {
  const { store, handedOver } = await open();
  visit.host.arrive({});
  answer();
  await visit.host.pass(COMMITTED_MS);
  store.loseRelease();
  await visit.host.pass(LINGER_MS + 100);
  expect(store.row).toMatchObject({ held: true, released: null });
  expect([handedOver, visit.host.unsure]).toEqual([[], 1]);
});

test('a lane that ends waits for a request: its failure is stored, and the next lane continues from there', async () => {
  const { store, model, handedOver } = await open();
  visit.host.arrive({}, {});
  const closed = visit.host.close();
  answer(UNAVAILABLE);
  await visit.host.pass(2 * COMMITTED_MS);
  await closed;
  expect(store.row).toMatchObject({ position: 0, released: { wants: 'visit' } });
  expect(store.row.head).toMatchObject({ position: 1, attempt: 1 });
  expect(store.row.attempts).toHaveLength(1);
  expect(model.sent).toEqual([1]);
  expect(handedOver).toEqual([]);
});

test('a lane that ends while a drain takes over a request waits for that request as well', async () => {
  const { store, model } = await open();
  visit.host.arrive({});
  store.retarget();
  visit.host.notify();
  store.hold();
  await visit.host.pass(COMMITTED_MS);
  const closed = visit.host.close();
  store.letThrough();
  await visit.host.pass(2 * COMMITTED_MS);
  expect(positions()).toEqual([1]);
  answer();
  await visit.host.pass(2 * COMMITTED_MS);
  await closed;
  expect(store.row).toMatchObject({ position: 1, successes: [1], released: { head: null } });
  expect(model.sent).toEqual([1]);
});

test('when the lease can’t be renewed, the request is cut before the end of the lease, and nothing is sent until it is renewed', async () => {
  const { store, model } = await open();
  visit.host.arrive({}, {});
  store.hold();
  await visit.host.pass(LEASE_MS - 250);
  expect(positions()).toEqual([1]);
  await visit.host.pass(LEASE_MS);
  expect(positions()).toEqual([]);
  expect(model.sent).toEqual([1]);
  store.letThrough();
  await visit.host.pass(LEASE_MS / 2);
  expect(store.row.attempts).toEqual([]); // the endpoint is not to blame
  await answerAll();
});

test('a lane that ends while a drain takes over and still has to read the entry repeats nothing', async () => {
  const { store, model } = await open();
  visit.host.arrive({});
  visit.host.append({});
  visit.host.forget();
  const closed = visit.host.close();
  await visit.host.pass(COMMITTED_MS);
  expect(positions()).toEqual([1]);
  answer();
  await visit.host.pass(4 * COMMITTED_MS);
  answer(); // what was to be sent by then has been sent
  await visit.host.pass(4 * COMMITTED_MS);
  await closed;
  expect(store.row.position).toBeGreaterThanOrEqual(1);
  expect(store.row.successes).toContain(1);
  expect(model.sent.filter((position) => position === 1)).toEqual([1]);
});

test('a command that makes the sender release its consumer lets the open request end, and nothing more is sent', async () => {
  const { store, model, reasons, notify } = await open();
  visit.host.arrive({}, {});
  store.holdSender(true);
  notify();
  await visit.host.pass(4 * COMMITTED_MS);
  expect(positions()).toContain(1);
  expect(store.row.held).toBe(true);
  while (positions().length > 0) answer();
  await visit.host.pass(4 * COMMITTED_MS);
  expect(store.row).toMatchObject({ held: false, released: { head: null } });
  expect(store.row.position).toBe(model.sent.length);
  expect(reasons).toEqual(['changed']);
});

import { expect, test, vi } from 'vitest';

import { expectInOrder, numberOf } from '../support/numbered.ts';
import { until } from '../support/poll.ts';
import {
  accept,
  openReceiver,
  type Received,
  type Respond,
  type TestReceiver,
} from '../support/receiver.ts';
import { openWorld, someEvents } from '../support/world.ts';

/** They run side by side, so each takes its time. */
vi.setConfig({ testTimeout: 180_000 });

/** Does not answer these webhooks: it hangs, or it drops the connection. */
function silence(how: 'hangs' | 'resets', test: (body: string) => boolean): Respond {
  return (one, response) => {
    if (!test(one.body)) accept(one, response);
    else if (how === 'resets') response.socket?.resetAndDestroy();
  };
}

/** Of what hangs: long enough for a busy machine, but a process may be stalled for longer, and then it repeats. */
const TIMEOUT_MS = 3_000;
/** Of what does not have to time out. */
const PATIENT_MS = 15_000;
const SILENT = [
  { how: 'hangs', timeout_ms: TIMEOUT_MS },
  { how: 'resets', timeout_ms: PATIENT_MS },
] as const;

/** What was accepted, in order, each position when it came for the first time. */
function firstsOf({ received }: TestReceiver): Received[] {
  const seen = new Set<number>();
  return received.filter(({ status, position }) => {
    if (status !== 204 || seen.has(position)) return false;
    seen.add(position);
    return true;
  });
}

test.concurrent.each(SILENT)(
  'an entry whose request $how is parked and becomes a dead letter, the 3,009 others arrive, and the consumer does not stop',
  async ({ how, timeout_ms }) => {
    await using world = await openWorld({ retryWindowMs: 14_000 });
    await using receiver = await openReceiver(silence(how, (body) => numberOf(body) === 7));
    const target = await world.target(receiver.url, { timeout_ms, max_in_flight: 16 });
    const consumer = await world.consumer(target);
    const { updated_at } = await world.get(consumer);
    await world.append.events(someEvents(3_010, { records: 3_010 }));
    const taken = () => firstsOf(receiver).length;
    await until(async () => (await world.get(consumer)).parked === 1);
    await until(() => taken() === 3_009);
    await world.caughtUp(consumer);
    const dead = `select position, last_failure->>'code' as code from dead_letters`;
    await until(async () => (await world.db.query(dead)).rows.length > 0);
    const code = how === 'hangs' ? 'TIMEOUT' : 'CONNECTION_RESET';
    expect((await world.db.query(dead)).rows).toEqual([{ position: 8, code }]);
    expect(await world.get(consumer)).toMatchObject({ status: 'active', position: 3_010 });
    expect((await world.get(consumer)).updated_at).toBe(updated_at); // each block would change it
    expect(taken()).toBe(3_009);
  },
);

test.concurrent.each(SILENT)(
  'an outage in which every request $how parks nothing, and all entries arrive in order after it',
  async ({ how, timeout_ms }) => {
    await using world = await openWorld();
    let down = false;
    await using receiver = await openReceiver((one, response) => {
      down ||= numberOf(one.body) === 250;
      silence(how, () => down)(one, response);
    });
    const target = await world.target(receiver.url, { timeout_ms, max_in_flight: 16 });
    const consumer = await world.consumer(target);
    await world.append.events(someEvents(500, { records: 50 }));
    await world.becomes(consumer, 'blocked', 60_000);
    const tries = receiver.received.length;
    await until(() => receiver.received.length > tries + 2);
    const { rows } = await world.db.query('select from parked union all select from dead_letters');
    expect(rows).toHaveLength(0);
    receiver.respond = accept;
    await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
    await world.caughtUp(consumer);
    const good = firstsOf(receiver);
    expect(good).toHaveLength(500);
    expectInOrder(good, 50);
  },
);

test.concurrent('many entries that hang at the same time, in all requests that may be in flight, are identified one by one without blocking the consumer', async () => {
  await using world = await openWorld();
  const hangs = (body: string): boolean => numberOf(body) < 8;
  await using receiver = await openReceiver(silence('hangs', hangs));
  const target = await world.target(receiver.url, { timeout_ms: TIMEOUT_MS, max_in_flight: 8 });
  const consumer = await world.consumer(target);
  const { updated_at } = await world.get(consumer); // each block would change it
  await world.append.events(someEvents(300, { records: 300 }));
  await until(() => firstsOf(receiver).length === 292);
  await until(async () => (await world.get(consumer)).parked === 8);
  expect(await world.get(consumer)).toMatchObject({ status: 'active', updated_at });
});

test.concurrent('retries that hang again leave half of the requests to other entries', async () => {
  await using world = await openWorld();
  const fails = (body: string): boolean => numberOf(body) < 8;
  await using receiver = await openReceiver(silence('resets', fails));
  // None of those that hang may time out while others are sent.
  const target = await world.target(receiver.url, { timeout_ms: PATIENT_MS, max_in_flight: 4 });
  const consumer = await world.consumer(target);
  await world.append.events(someEvents(100, { records: 100 }));
  await until(async () => (await world.get(consumer)).parked === 8);
  let hanging = 0;
  let most = 0;
  receiver.respond = (one, response) => {
    if (!fails(one.body)) {
      accept(one, response);
      return;
    }
    hanging += 1;
    most = Math.max(most, hanging);
    response.once('close', () => (hanging -= 1));
  };
  await world.api.request('POST', `/v1/consumers/${consumer}/retry`); // all 8 are due
  await until(() => hanging === 2); // half of 4
  await world.append.events(someEvents(50, { records: 100, from: 1_050 }));
  const others = () => receiver.received.filter((one) => numberOf(one.body) >= 1_000);
  await until(() => others().length === 50);
  expect([hanging, most]).toEqual([2, 2]); // the 50 did not wait for them
});

test.concurrent('a head that hangs while its consumer is blocked is identified by a probe of another record', async () => {
  await using world = await openWorld();
  let down = true;
  await using receiver = await openReceiver((one, response) => {
    if (down) response.writeHead(503).end();
    else silence('hangs', (body) => numberOf(body) === 0)(one, response);
  });
  const consumer = await world.consumer(
    await world.target(receiver.url, { timeout_ms: TIMEOUT_MS }),
  );
  await world.append.events(someEvents(20, { records: 20 }));
  await world.becomes(consumer, 'blocked');
  down = false;
  await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
  await world.becomes(consumer, 'active');
  await world.caughtUp(consumer);
  const { rows } = await world.db.query<{ position: number }>('select position from parked');
  expect(rows).toEqual([{ position: 1 }]);
  expect(firstsOf(receiver)).toHaveLength(19);
});

test.concurrent('under ordering "stream" an entry that hangs blocks its consumer, and nothing overtakes it', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver(silence('hangs', (body) => numberOf(body) === 3));
  const target = await world.target(receiver.url, { timeout_ms: TIMEOUT_MS });
  const consumer = await world.consumer(target, { ordering: 'stream' });
  await world.append.events(someEvents(10, { records: 10 }));
  await world.becomes(consumer, 'blocked');
  await until(() => receiver.received.filter((one) => one.position === 4).length > 2);
  expect(await world.get(consumer)).toMatchObject({ position: 3, parked: 0 });
  expect(receiver.received.some((one) => one.position > 4)).toBe(false);
});

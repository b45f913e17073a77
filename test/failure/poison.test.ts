import { describe, expect, test, vi } from 'vitest';

import { HOSTS } from '../support/hosts.ts';
import { expectInOrder, numberOf } from '../support/numbered.ts';
import { until } from '../support/poll.ts';
import { accept, answer, openReceiver, type Respond } from '../support/receiver.ts';
import { openWorld, someEvents } from '../support/world.ts';

/** Most of them run side by side, so each takes its time. */
vi.setConfig({ testTimeout: 180_000 });

/** How long an endpoint asks to wait, seconds. */
const WAIT_S = 12;

/** 300 of the first 9,000: what comes after the last one speaks for the endpoint. */
function isPoisoned(body: string): boolean {
  const number = numberOf(body);
  return number < 9_000 && number % 30 === 29;
}

function poison(test: (body: string) => boolean): Respond {
  return (one, response) => {
    if (test(one.body)) response.writeHead(400).end('no such customer');
    else accept(one, response);
  };
}

test('300 poisoned records of 10,000 are parked, and the other 9,700 arrive without the consumer stopping', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver(poison(isPoisoned));
  const consumer = await world.consumer(await world.target(receiver.url));
  await world.append.events(someEvents(10_000, { records: 10_000 }));
  const delivered = () => receiver.received.filter((one) => !isPoisoned(one.body));
  await until(() => delivered().length >= 9_700, { timeoutMs: 60_000 });
  await world.caughtUp(consumer);
  expect(new Set(delivered().map((one) => one.position)).size).toBe(9_700);
  expect(delivered()).toHaveLength(9_700);
  const { rows } = await world.db.query<{ count: number }>('select count(*) from parked');
  expect(rows[0]?.count).toBe(300);
  const { status, failing_since } = await world.get(consumer);
  expect([status, failing_since]).toEqual(['active', null]);
});

describe.each(HOSTS)('sent to by $by', ({ options }) => {
  test.concurrent('later entries of a parked record wait behind it untried, and go out in order once it is accepted', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver(poison((body) => body.includes('"n":3}')));
    const consumer = await world.consumer(await world.target(receiver.url, { max_in_flight: 4 }));
    await world.append.events(someEvents(30, { records: 3 })); // n 0, 3, 6, … are of one record
    await until(async () => {
      const { rows } = await world.db.query('select from parked');
      return rows.length === 9;
    });
    await world.append.events(someEvents(6, { records: 3, from: 30 }));
    const others = () => receiver.received.filter((one) => numberOf(one.body) % 3 !== 0);
    await until(() => others().length === 24);
    await world.caughtUp(consumer);
    receiver.respond = accept;
    const retried = await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
    expect(retried.status).toBe(200);
    await until(async () => {
      const { rows } = await world.db.query('select from parked');
      return rows.length === 0;
    });
    const numbers = receiver.received
      .filter((one) => one.status === 204)
      .map((one) => numberOf(one.body))
      .filter((one) => one % 3 === 0);
    expect(numbers).toEqual([0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33]);
  });

  test.concurrent('an outage in which everything is answered 500 parks nothing, and all entries arrive in order after it', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver(answer(500));
    const consumer = await world.consumer(await world.target(receiver.url));
    await world.append.events(someEvents(500, { records: 50 }));
    await world.becomes(consumer, 'blocked');
    const tries = receiver.received.length;
    await until(() => receiver.received.length > tries, { timeoutMs: 90_000 });
    const { rows } = await world.db.query('select from parked union all select from dead_letters');
    expect(rows).toHaveLength(0);
    receiver.respond = accept;
    await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
    await world.caughtUp(consumer);
    const good = receiver.received.filter((one) => one.status === 204);
    expect(good).toHaveLength(500);
    expectInOrder(good, 50);
  });

  test.concurrent('a single other entry that succeeds clears the endpoint, however soon after the refused one it was sent', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver(poison((body) => body.includes('"n":0}')));
    // One right after the other.
    const target = await world.target(receiver.url, { max_in_flight: 1 });
    await world.append.events(someEvents(2));
    const consumers = await Promise.all(
      Array.from({ length: 12 }, () => world.consumer(target, { start: 'beginning' })),
    );
    for (const consumer of consumers) {
      await until(async () => (await world.get(consumer)).parked === 1, { timeoutMs: 60_000 });
      expect(await world.get(consumer)).toMatchObject({ status: 'active', failing_since: null });
    }
  });

  test.concurrent('a poisoned head is identified by a probe of another record', async () => {
    await using world = await openWorld(options);
    let down = true;
    await using receiver = await openReceiver((one, response) => {
      if (down) response.writeHead(503).end();
      else if (one.body.includes('"n":0}')) response.writeHead(422).end();
      else accept(one, response);
    });
    const consumer = await world.consumer(await world.target(receiver.url));
    await world.append.events(someEvents(20, { records: 20 }));
    await world.becomes(consumer, 'blocked');
    down = false;
    await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
    await world.becomes(consumer, 'active');
    await world.caughtUp(consumer);
    const { rows } = await world.db.query<{ position: number }>('select position from parked');
    expect(rows).toEqual([{ position: 1 }]);
    const good = receiver.received.filter((one) => one.status === 204);
    expect(new Set(good.map((one) => one.position)).size).toBe(19);
  });

  test.concurrent('a message that makes a gateway answer 502 is identified and parked, and its retries block nothing', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver((one, response) => {
      if (one.body.includes('"n":0}')) response.writeHead(502).end();
      else accept(one, response);
    });
    // So few at once that some are left for a probe.
    const consumer = await world.consumer(await world.target(receiver.url, { max_in_flight: 4 }));
    await world.append.events(someEvents(20, { records: 20 }));
    await world.caughtUp(consumer);
    await world.becomes(consumer, 'active');
    const { rows } = await world.db.query<{ position: number }>('select position from parked');
    expect(rows).toEqual([{ position: 1 }]);
    const tries = () => receiver.received.filter((one) => one.position === 1).length;
    const before = tries();
    await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
    await until(() => tries() > before);
    await world.append.events(someEvents(20, { records: 20, from: 100 }));
    await world.caughtUp(consumer);
    expect((await world.get(consumer)).status).toBe('active');
    const blocks = await world.db.query(
      `select from attempts where position = 1 and error_code = 'HTTP_5XX' and next_attempt_at is not null`,
    );
    expect(blocks.rows.length).toBeGreaterThan(0); // told when it is tried again
    // One of the second 20 is of the parked record: it waits.
    expect(receiver.received.filter((one) => one.status === 204)).toHaveLength(38);
  });

  test.concurrent('after its window a parked entry is a dead letter, and the next entry of its record goes out', async () => {
    await using world = await openWorld({ ...options, retryWindowMs: 4_000 });
    await using receiver = await openReceiver(poison((body) => body.includes('"n":0}')));
    // One at a time: those of the other record are sent after the first has failed.
    const consumer = await world.consumer(await world.target(receiver.url, { max_in_flight: 1 }));
    await world.append.events(someEvents(4, { records: 2 }));
    await until(() => receiver.received.some((one) => one.body.includes('"n":2}')), {
      timeoutMs: 60_000,
    });
    await until(async () => {
      const { rows } = await world.db.query('select from parked');
      return rows.length === 0;
    });
    const { rows } = await world.db.query<Record<string, unknown>>(
      `select position, last_failure->>'code' as code, last_failure->>'response_head' as head from dead_letters`,
    );
    expect(rows).toEqual([{ position: 1, code: 'HTTP_4XX', head: 'no such customer' }]);
    const { position, status } = await world.get(consumer);
    expect([position, status]).toEqual([4, 'active']);

    const path = `/v1/consumers/${consumer}`;
    const listed = await world.api.request('GET', `${path}/dead-letters`);
    expect(listed.body.data).toHaveLength(1);
    const { id, attempts } = listed.body.data[0];
    const { body } = await world.api.request('GET', `${path}/dead-letters/${id}`);
    expect(body.body).toBe(receiver.received.find((one) => one.position === 1)?.body);
    const unknown = { ids: ['0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11'] };
    const refused = await world.api.request('POST', `${path}/dead-letters/replay`, unknown);
    expect(refused.status).toBe(404);
    receiver.respond = accept;
    const replayed = await world.api.request('POST', `${path}/dead-letters/replay`, { all: true });
    expect([replayed.status, replayed.body]).toEqual([202, { count: 1 }]);
    await until(() => receiver.received.some((one) => one.position === 1 && one.status === 204));
    expect(receiver.received.at(-1)).toMatchObject({ attempt: attempts + 1, status: 204 });
    await until(async () => (await world.db.query('select from parked')).rows.length === 0);
    expect((await world.api.request('GET', `${path}/dead-letters`)).body.data).toEqual([]);

    const resent = await world.api.request('POST', `${path}/resend`, { position: 4 });
    expect([resent.status, resent.body]).toEqual([202, { count: 1 }]);
    await until(() => receiver.received.filter((one) => one.position === 4).length === 2);
    const absent = await world.api.request('POST', `${path}/resend`, { position: 5 });
    expect(absent.status).toBe(409);
  });

  test.concurrent('on the records stream a poisoned version that is superseded is dropped, and the new one delivered', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver(poison((body) => body.includes('"bad"')));
    const consumer = await world.consumer(await world.target(receiver.url), { stream: 'records' });
    const record = (upstream_id: string, name: string) => ({
      sync_id: 's',
      collection_id: 'stripe:customer',
      upstream_id,
      data: { name },
    });
    const put = (...records: unknown[]) => world.api.request('POST', '/v1/records', { records });
    await put(record('a', 'bad'));
    await until(() => receiver.received.length > 1); // so the first answer was read
    await put(record('b', 'good')); // speaks for the endpoint
    await until(async () => (await world.db.query('select from parked')).rows.length === 1);
    await put(record('a', 'better'));
    await until(() => receiver.received.some((one) => one.body.includes('"better"')));
    await until(async () => (await world.db.query('select from parked')).rows.length === 0);
    await world.caughtUp(consumer);
    const bad = receiver.received.filter((one) => one.body.includes('"bad"'));
    expect(new Set(bad.map((one) => one.status))).toEqual(new Set([400]));
    expect((await world.db.query('select from dead_letters')).rows).toHaveLength(0);
  });

  test.concurrent('410 stops the consumer immediately, and nothing more is sent', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver(answer(410));
    const consumer = await world.consumer(await world.target(receiver.url, { max_in_flight: 1 }));
    await world.append.events(someEvents(5));
    const stopped = await world.becomes(consumer, 'stopped');
    expect(stopped.position).toBe(0);
    expect(receiver.received).toHaveLength(1);
    const { rows } = await world.db.query('select status, next_attempt_at from attempts');
    expect(rows).toEqual([{ status: 410, next_attempt_at: null }]);
  });

  test.concurrent('after a burst answered with Retry-After nothing is sent until that time, and then everything, in order', async () => {
    await using world = await openWorld(options);
    const busy = answer(429, { 'retry-after': String(WAIT_S) });
    let asked = 0;
    await using receiver = await openReceiver((one, response) => {
      if (asked === 0) asked = one.at;
      if (one.at < asked + WAIT_S * 1_000) busy(one, response);
      else accept(one, response);
    });
    const inFlight = 10;
    const target = await world.target(receiver.url, { max_in_flight: inFlight });
    const consumer = await world.consumer(target);
    await world.append.events(someEvents(1_000, { records: 100 }));
    await until(() => receiver.received.some((one) => one.status === 204), { timeoutMs: 90_000 });
    await world.caughtUp(consumer);
    const good = receiver.received.filter((one) => one.status === 204);
    expect(new Set(good.map((one) => one.position)).size).toBe(1_000);
    const refused = receiver.received.filter((one) => one.status !== 204);
    const first = Math.min(...good.map((one) => one.at));
    expect(first - asked).toBeGreaterThanOrEqual(WAIT_S * 1_000);
    expect(refused.length).toBeLessThanOrEqual(inFlight);
    expect(new Set(refused.map((one) => one.position)).size).toBe(refused.length);
    expectInOrder(good, 100);
  });

  test.concurrent('a consumer that works again after a warning sends one notice of its recovery', async () => {
    await using world = await openWorld({ ...options, retryWindowMs: 48_000 }); // warns after 2 s
    await using receiver = await openReceiver(answer(503));
    const consumer = await world.consumer(await world.target(receiver.url));
    await world.append.events(someEvents(3));
    const kinds = async () =>
      (await world.db.query<{ kind: string }>('select kind from alerts order by id')).rows.map(
        (one) => one.kind,
      );
    await until(async () => (await kinds()).length === 1);
    receiver.respond = accept;
    await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
    await world.caughtUp(consumer);
    await until(async () => (await kinds()).length === 2);
    expect(await kinds()).toEqual(['warning', 'recovered']);
  });
});

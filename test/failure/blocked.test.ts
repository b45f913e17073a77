import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { HOSTS } from '../support/hosts.ts';
import { until } from '../support/poll.ts';
import { accept, answer, openReceiver } from '../support/receiver.ts';
import { openWorld, someEvents } from '../support/world.ts';

describe.each(HOSTS)('sent to by $by', ({ options }) => {
  test.concurrent('a failing endpoint blocks the consumer, only its head is tried, and sending continues from there after a success', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver(answer(429));
    const target = await world.target(receiver.url, { max_in_flight: 4 });
    const consumer = await world.consumer(target);
    await world.append.events(someEvents(50));

    const blocked = await world.becomes(consumer, 'blocked');
    expect(blocked.status_reason).toBe('THROTTLED: HTTP 429');
    expect(blocked.failing_since).not.toBeNull();
    expect(blocked.next_attempt_at).not.toBeNull();
    await until(() => receiver.received.some((one) => one.attempt === 2));
    const tried = new Set(
      receiver.received.filter((one) => one.attempt > 1).map((one) => one.position),
    );
    expect([...tried]).toEqual([1]);
    expect(receiver.received.filter((one) => one.attempt === 1).length).toBeLessThanOrEqual(4);

    receiver.respond = accept;
    const answerOfRetry = await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
    expect(answerOfRetry.status).toBe(200);
    await world.becomes(consumer, 'active');
    const after = await world.caughtUp(consumer);
    expect(after.position).toBe(50);
    expect(after.failing_since).toBeNull();
    const delivered = receiver.received.slice(
      receiver.received.findIndex((one) => one.attempt === 2),
    );
    expect(new Set(delivered.map((one) => one.position)).size).toBe(50);
    const { rows } = await world.db.query<{ outcome: string; attempt: number }>(
      'select outcome, attempt from attempts where position = 1 order by attempt',
    );
    expect(rows.at(0)).toMatchObject({ outcome: 'failed', attempt: 1 });
    expect(rows.at(-1)).toMatchObject({ outcome: 'delivered' });
  });

  test.concurrent('webhook-id stays the same in all attempts, and the attempt number rises', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver((one, response) => {
      response.writeHead(one.attempt < 3 ? 500 : 200).end();
    });
    const consumer = await world.consumer(await world.target(receiver.url));
    await world.append.events(someEvents(1));
    await until(() => receiver.received.length === 3);
    await world.caughtUp(consumer);
    expect(new Set(receiver.received.map((one) => one.id)).size).toBe(1);
    expect(receiver.received.map((one) => one.attempt)).toEqual([1, 2, 3]);
  });

  test.concurrent('Retry-After is honoured exactly', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver((one, response) => {
      if (one.attempt === 1) response.writeHead(429, { 'retry-after': '3' }).end();
      else accept(one, response);
    });
    const consumer = await world.consumer(await world.target(receiver.url));
    await world.append.events(someEvents(1));
    await until(() => receiver.received.length === 2);
    const [first, second] = receiver.received;
    const waited = (second?.at ?? 0) - (first?.at ?? 0);
    expect(waited).toBeGreaterThanOrEqual(2_990);
    // A timer may be late; what it was set to is not, counted from some time between the answer and its being stored.
    const { rows } = await world.db.query<{ ended: number; stored: number }>({
      text: `
        select extract(epoch from next_attempt_at - started_at)::float8 * 1000 - duration_ms as ended,
               extract(epoch from next_attempt_at - stored_at)::float8 * 1000 as stored
          from attempts where consumer_id = $1 and attempt = 1`,
      values: [consumer],
    });
    expect(rows).toHaveLength(1);
    expect(rows[0]!.ended).toBeGreaterThanOrEqual(2_990);
    expect(rows[0]!.stored).toBeLessThan(3_200); // two clocks
  });

  test.concurrent('rate_limit spaces every request: those of a drain, those while the consumer is blocked, and between the two', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver(answer(503));
    const consumer = await world.consumer(await world.target(receiver.url, { rate_limit: 2 }));
    await world.append.events(someEvents(5));
    // The head and a probe, after the sender's own attempt.
    await until(() => receiver.received.length === 3);
    // The head is a poisoned message: tried, a probe, tried once more, parked; then others go out.
    receiver.respond = (one, response) =>
      one.position === 1 ? answer(500)(one, response) : accept(one, response);
    await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
    await until(() => receiver.received.filter((one) => one.status === 204).length === 4);
    await until(async () => (await world.get(consumer)).parked === 1);

    // What came last is stored a moment after it was answered.
    const starts = await until(async () => {
      const { body } = await world.api.request('GET', `/v1/consumers/${consumer}/attempts`);
      const made = body.data.map((one: { started_at: string }) => Date.parse(one.started_at));
      return made.length >= 9 && made.sort();
    });
    const gaps = starts.slice(1).map((start: number, index: number) => start - starts[index]);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(500 - 50 - 5); // a tick, and parts of a ms
    for (const from of starts) {
      const within = starts.filter((one: number) => one >= from && one < from + 1_000 - 55);
      expect(within.length).toBeLessThanOrEqual(2);
    }
  });

  test.concurrent('after the retry window the consumer stops, an alert goes out, and resume continues exactly where it stopped', async () => {
    await using world = await openWorld({ ...options, retryWindowMs: 10_000 });
    await using receiver = await openReceiver(answer(500));
    const target = await world.target(receiver.url);
    const consumer = await world.consumer(target);
    await world.append.events(someEvents(5, { records: 1 }));

    const stopped = await world.becomes(consumer, 'stopped');
    expect(stopped.position).toBe(0);
    const tries = receiver.received.length;
    expect(new Set(receiver.received.map((one) => one.position))).toEqual(new Set([1]));
    const { rows: alerts } = await world.db.query('select kind from alerts order by id');
    expect(alerts).toEqual([{ kind: 'warning' }, { kind: 'stopped' }]);
    const mail = await until(async () => {
      const files = (await readdir(world.outbox).catch(() => [])).filter((one) =>
        one.endsWith('.eml'),
      );
      const mails = await Promise.all(
        files.map((one) => readFile(join(world.outbox, one), 'utf8')),
      );
      return mails.find((one) => one.includes('X-Millrace-Alert: stopped')) ?? false;
    });
    expect(mail).toContain('X-Millrace-Alert: stopped');
    expect(mail).toContain(`X-Millrace-Consumer: ${consumer}`);
    expect(mail).toContain('To: ops@example.com');
    expect(mail).toMatch(/Message-ID: <stopped\./u);

    receiver.respond = accept;
    expect(receiver.received).toHaveLength(tries);
    const { status, body } = await world.api.request('POST', `/v1/consumers/${consumer}/resume`);
    expect([status, body.status]).toEqual([200, 'active']);
    await world.caughtUp(consumer);
    expect(receiver.received.slice(tries).map((one) => one.position)).toEqual([1, 2, 3, 4, 5]);
  });

  test.concurrent('an endpoint at which nothing listens is reported as such', async () => {
    await using world = await openWorld(options);
    const receiver = await openReceiver();
    const target = await world.target(receiver.url);
    await receiver[Symbol.asyncDispose]();
    const consumer = await world.consumer(target);
    await world.append.events(someEvents(1));
    const blocked = await world.becomes(consumer, 'blocked');
    expect(blocked.status_reason).toBe('CONNECTION_REFUSED: connection refused');
  });

  test.concurrent('an endpoint that does not answer in time is reported as a timeout', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver(() => undefined);
    const consumer = await world.consumer(await world.target(receiver.url, { timeout_ms: 500 }));
    await world.append.events(someEvents(1));
    // A stalled process may first take longer than that to connect.
    await until(
      async () => (await world.get(consumer)).status_reason === 'TIMEOUT: no answer within 500 ms',
    );
    expect(await world.get(consumer)).toMatchObject({ status: 'blocked' });
  });

  test.concurrent('pausing a blocked consumer ends its attempts; resuming gives it a new window', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver(answer(500));
    const consumer = await world.consumer(await world.target(receiver.url));
    await world.append.events(someEvents(3));
    await world.becomes(consumer, 'blocked');
    const paused = await world.api.request('POST', `/v1/consumers/${consumer}/pause`);
    expect([paused.status, paused.body.status]).toEqual([200, 'paused']);
    expect((await world.api.request('POST', `/v1/consumers/${consumer}/retry`)).status).toBe(409);
    receiver.respond = accept;
    const before = receiver.received.length;
    const resumed = await world.api.request('POST', `/v1/consumers/${consumer}/resume`);
    expect(resumed.body.failing_since).toBeNull();
    await world.caughtUp(consumer);
    expect(receiver.received.length - before).toBe(3);
  });

  test.concurrent('a blocked consumer whose target changes tries the new URL immediately', async () => {
    await using world = await openWorld(options);
    await using old = await openReceiver(answer(503, { 'retry-after': '3600' }));
    await using fresh = await openReceiver();
    const target = await world.target(old.url);
    const consumer = await world.consumer(target);
    await world.append.events(someEvents(3));
    await world.becomes(consumer, 'blocked');
    const { status } = await world.api.request('PATCH', `/v1/targets/${target}`, {
      base_url: fresh.url,
    });
    expect(status).toBe(200);
    await until(() => fresh.received.length === 3);
    await world.becomes(consumer, 'active');
    const { rows } = await world.db.query(
      `select actor, detail from changes where action = 'retried'`,
    );
    expect(rows).toEqual([{ actor: 'target', detail: { because: 'target_changed' } }]);
  });
});

test.concurrent('a new length of the retry window also applies to consumers that were created before, even while they fail', async () => {
  const before = 16_000; // long enough for a slow machine to end the worker within it
  await using world = await openWorld({ retryWindowMs: before });
  await using receiver = await openReceiver((one, response) =>
    answer(one.path === '/hook/failing' || down ? 503 : 204)(one, response),
  );
  let down = false;
  const target = await world.target(receiver.url);
  const failing = await world.consumer(target, { path: '/failing' });
  const healthy = await world.consumer(target, { path: '/healthy' });
  await world.append.events(someEvents(1));
  await world.caughtUp(healthy);
  // Its `deliver` waits for its second try: Temporal holds it to the window of before.
  await until(() => receiver.received.filter((one) => one.path === '/hook/failing').length === 2);
  await world.stopWorker();

  await world.startWorker(86_400_000);
  const longer = await until(async () => {
    const { status, failing_since, next_attempt_at } = await world.get(failing);
    const lastsTo = Date.parse(failing_since ?? '') + before;
    return Date.parse(next_attempt_at ?? '') > lastsTo && status;
  });
  expect(longer).toBe('blocked');
  await world.stopWorker();

  down = true;
  await world.startWorker(2_000);
  await world.append.events(someEvents(1, { from: 1 }));
  await world.api.request('POST', `/v1/consumers/${failing}/retry`);
  for (const id of [failing, healthy]) {
    expect((await world.becomes(id, 'stopped')).failing_since).not.toBeNull();
  }
});

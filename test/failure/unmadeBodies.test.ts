import { describe, expect, test, vi } from 'vitest';

import { openBlockedConsumer } from '../support/blocked.ts';
import { openFailingConsumer, unmakeFirst } from '../support/failingConsumer.ts';
import { failedHead, sent } from '../support/headResults.ts';
import { HOSTS } from '../support/hosts.ts';
import { until } from '../support/poll.ts';
import { accept, answer, openReceiver } from '../support/receiver.ts';
import { openWorld, someEvents, type World } from '../support/world.ts';

vi.setConfig({ testTimeout: 120_000 });

const map = (expression: string) => ({ mode: 'map' as const, expression });
/** Fails for the entry with `"n":3` alone. */
const BROKEN = map('event.data.n == 3 ? {"n": event.data.missing} : {"n": event.data.n}');
const MENDED = map('{"n": event.data.n}');

async function parkedOf(world: World, consumer: string) {
  const { body } = await world.api.request('GET', `/v1/consumers/${consumer}/parked`);
  return body.data as { position: number; last_failure: { code: string; detail: string } | null }[];
}

describe.each(HOSTS)('sent to by $by', ({ options }) => {
  test.concurrent('an entry of which no body can be made is parked alone and visible, nothing of it is sent, and it goes out once the expression is mended', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    const target = await world.target(receiver.url);
    const consumer = await world.consumer(target, { body: BROKEN });
    await world.append.events(someEvents(10));
    await world.caughtUp(consumer);
    await until(async () => (await world.get(consumer)).parked === 1);
    expect(receiver.received.map((one) => one.position).sort((a, b) => a - b)).toEqual([
      1, 2, 3, 5, 6, 7, 8, 9, 10,
    ]);
    const state = await world.get(consumer);
    expect([state.status, state.failing_since]).toEqual(['active', null]);
    expect(state.health.notes[0]).toMatch(/of the newest no body can be made: .*missing/u);
    const [parked] = await parkedOf(world, consumer);
    expect(parked).toMatchObject({ position: 4, last_failure: { code: 'BODY_FAILED' } });
    expect(parked!.last_failure!.detail).toMatch(
      /^the expression of the body has no value: .*missing/u,
    );
    const path = `/v1/consumers/${consumer}`;
    const { body } = await world.api.request(
      'GET',
      `${path}/attempts?outcome=failed&include=trace`,
    );
    expect(body.data.at(-1)).toMatchObject({
      position: 4,
      attempt: 1,
      error_code: 'BODY_FAILED',
      status: null,
      trace: null,
    });

    expect((await world.api.request('PATCH', path, { body: MENDED })).status).toBe(200);
    await until(async () => (await world.get(consumer)).parked === 0);
    const late = receiver.received.filter((one) => one.position === 4);
    expect(late).toMatchObject([{ body: '{"n":3}', status: 204 }]);
    expect(late[0]!.attempt).toBeGreaterThan(1);
  });

  test.concurrent('an entry of which no body can be made for a whole window is a dead letter, and its replay is sent as the mended expression says', async () => {
    await using world = await openWorld({ ...options, retryWindowMs: 3_000 });
    await using receiver = await openReceiver();
    const consumer = await world.consumer(await world.target(receiver.url), { body: BROKEN });
    const path = `/v1/consumers/${consumer}`;
    await world.append.events(someEvents(5));
    await until(async () => (await world.get(consumer)).dead_letters === 1, { timeoutMs: 90_000 });
    const { body: letters } = await world.api.request('GET', `${path}/dead-letters`);
    expect(letters.data).toMatchObject([{ position: 4, last_failure: { code: 'BODY_FAILED' } }]);
    await world.api.request('PATCH', path, { body: MENDED });
    await world.api.request('POST', `${path}/dead-letters/replay`, { all: true });
    await until(() => receiver.received.some((one) => one.position === 4));
    expect(receiver.received.filter((one) => one.position === 4)).toMatchObject([
      { body: '{"n":3}', status: 204 },
    ]);
    expect((await world.get(consumer)).status).toBe('active');
  });

  test.concurrent('an expression that fails for every entry parks them all without blaming the endpoint, and they go out in order once it is mended', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    const body = map('event.data.missing');
    const consumer = await world.consumer(await world.target(receiver.url), { body });
    await world.append.events(someEvents(200, { records: 50 }));
    await until(async () => (await world.get(consumer)).parked === 200);
    await world.caughtUp(consumer);
    const state = await world.get(consumer);
    expect([state.status, state.failing_since, receiver.received.length]).toEqual([
      'active',
      null,
      0,
    ]);
    await world.api.request('PATCH', `/v1/consumers/${consumer}`, { body: MENDED });
    await until(async () => (await world.get(consumer)).parked === 0, { timeoutMs: 60_000 });
    expect(receiver.received).toHaveLength(200);
    const byRecord = Map.groupBy(receiver.received, (one) => (one.position - 1) % 50);
    for (const ofOne of byRecord.values()) {
      const positions = ofOne.map((one) => one.position);
      expect(positions).toEqual(positions.toSorted((a, b) => a - b));
    }
  });

  test.concurrent('an expression that fails for entries of 10,000 records stops the consumer, and resume continues where it stopped', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    const target = await world.target(receiver.url, { max_in_flight: 4 });
    const consumer = await world.consumer(target, { body: map('event.data.missing') });
    await world.db.query('update cursors set parked_total = 9990'); // as if so many were parked before
    await world.append.events(someEvents(100));
    const stopped = await world.becomes(consumer, 'stopped');
    expect(stopped.status_reason).toBe(
      'entries of 10,000 records are parked, as no body could be made of them',
    );
    expect(receiver.received).toEqual([]);
    expect(stopped.parked).toBeGreaterThanOrEqual(10);
    const path = `/v1/consumers/${consumer}`;
    await world.api.request('PATCH', path, { body: MENDED });
    await world.api.request('POST', `${path}/resume`);
    await until(() => receiver.received.length === 100, { timeoutMs: 60_000 });
    await world.caughtUp(consumer);
    expect(new Set(receiver.received.map((one) => one.position)).size).toBe(100);
  });

  test.concurrent('under ordering "stream" an entry of which no body can be made blocks those behind it, until the expression is mended', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    const fields = { body: BROKEN, ordering: 'stream' as const };
    const consumer = await world.consumer(await world.target(receiver.url), fields);
    const path = `/v1/consumers/${consumer}`;
    await world.append.events(someEvents(6));
    const blocked = await world.becomes(consumer, 'blocked');
    expect(blocked.last_failure).toMatchObject({ code: 'BODY_FAILED', status: null });
    expect(receiver.received.map((one) => one.position)).toEqual([1, 2, 3]);
    await world.api.request('PATCH', path, { body: MENDED });
    await world.api.request('POST', `${path}/retry`);
    await world.caughtUp(consumer);
    expect(receiver.received.map((one) => one.position)).toEqual([1, 2, 3, 4, 5, 6]);
    expect((await world.get(consumer)).status).toBe('active');
  });
});

describe('deliver', () => {
  const UNMADE = map('event.upstream_id == "" ? 1 : event.data.missing');

  test.concurrent('parks heads of which no body can be made one after another, and says nothing of the endpoint', async () => {
    await using blocked = await openBlockedConsumer(accept, { consumer: { body: UNMADE } });
    expect(await blocked.attempt()).toEqual({ outcome: 'clear', position: 0 });
    expect(sent(blocked.receiver)).toEqual([]);
    expect(await blocked.parked()).toEqual([1, 2, 3]);
    expect(await blocked.cursor()).toMatchObject({ position: 3, holder: null, head: null });
  });

  test.concurrent('parks no more of them than it looks for in one attempt, and leaves the rest to a drain', async () => {
    const consumer = { body: UNMADE };
    await using blocked = await openBlockedConsumer(accept, { events: 30, consumer });
    expect(await blocked.attempt()).toMatchObject({ outcome: 'clear' });
    expect(await blocked.parked()).toHaveLength(20);
  });

  test.concurrent('takes a probe of which no body can be made for no evidence', async () => {
    const body = map('event.position == 1 ? {"n": 1} : event.data.missing');
    await using blocked = await openBlockedConsumer(answer(500), { events: 2, consumer: { body } });
    const result = failedHead(await blocked.attempt());
    expect(result).toMatchObject({ position: 1, failure: { code: 'HTTP_5XX' } });
    expect(sent(blocked.receiver)).toEqual(['1#1']);
    expect(await blocked.parked()).toEqual([]);
  });

  test.concurrent('under ordering "stream" plans the next attempt at such a head', async () => {
    const consumer = { body: UNMADE, ordering: 'stream' };
    await using blocked = await openBlockedConsumer(accept, { consumer });
    const result = failedHead(await blocked.attempt());
    expect(result).toMatchObject({ position: 1, failure: { code: 'BODY_FAILED', status: null } });
    expect(result.nextAttemptAt).not.toBeNull();
    expect(await blocked.parked()).toEqual([]);
  });
});

test('an edit of the body while the endpoint fails, for which no body of the head can be made, parks the head and keeps trying the endpoint', async () => {
  await using failing = await openFailingConsumer(answer(429), { events: 3 });
  const end = await unmakeFirst(failing);
  expect(end.reason).toBe('blocked'); // `deliver` continues, as entries are parked
  expect(await failing.parked()).toEqual([1]);
  expect((await failing.cursor()).last_failure).toMatchObject({ code: 'THROTTLED' });
});

test('an edit of the body makes the parked entries due of which no body could be made, and no others', async () => {
  await using failing = await openFailingConsumer(accept, { events: 2 });
  const { db } = failing.api.api;
  for (const [position, code] of [
    [1, 'BODY_FAILED'],
    [2, 'HTTP_4XX'],
  ]) {
    await db.query({
      text: `
        insert into parked (consumer_id, position, message_id, sync_id, collection_id, upstream_id, event, body,
                            attempts, parked_at, parked_ms, failing_ms, due_ms, last_failure)
        values ($1, $2, 'm', 's', 'a:b', $3, 'created', '{}', 1, now(), 0, 0, 3600000, $4)`,
      values: [failing.consumerId, position, `u-${position}`, JSON.stringify({ code })],
    });
  }
  const due = async () =>
    (await db.query<{ due_ms: number }>('select due_ms from parked order by position')).rows;
  await failing.command({ kind: 'patch', patch: { name: 'other' } });
  expect(await due()).toEqual([{ due_ms: 3_600_000 }, { due_ms: 3_600_000 }]);
  await failing.command({ kind: 'patch', patch: { body: { mode: 'thin' } } });
  expect(await due()).toEqual([{ due_ms: -1 }, { due_ms: 3_600_000 }]);
});

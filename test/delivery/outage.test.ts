// a drain sits out the beginning of its endpoint's failure, by the schedule by which `deliver` goes on
import { expect, test } from 'vitest';

import { createRecoveries } from '../../src/delivery/recoveries.ts';
import type { ErrorCode } from '../../src/rules/outcome.ts';
import { stretchOf } from '../../src/rules/retry.ts';
import { openFailingConsumer, type FailingConsumer } from '../support/failingConsumer.ts';
import { failedHead, sent } from '../support/headResults.ts';
import { until } from '../support/poll.ts';
import { accept, answer, openReceiver, type Respond } from '../support/receiver.ts';

/** Fails the first `count` requests of the head with a status, and all other requests meanwhile. */
function failsUntil(attempt: number, how: Respond): Respond {
  let up = false;
  return (one, response) => {
    up ||= one.position === 1 && one.attempt >= attempt;
    if (up) accept(one, response);
    else how(one, response);
  };
}

const LATER = 60_000;

/** Milliseconds from the first failure to what is planned, by the consumer's own stretch of the schedule. */
async function plannedSteps({ cursor, attempts, consumerId }: FailingConsumer): Promise<number[]> {
  const from = Date.parse((await cursor()).schedule_from ?? '');
  const factor = 0.9 + 0.2 * stretchOf(consumerId);
  const made = (await attempts()).filter((one) => one.next_attempt_at !== null);
  return made.map((one) => (Date.parse(one.next_attempt_at ?? '') - from) / factor);
}

/** As if the endpoint had failed for 18 s: it is tried now, and then 13 s later at the earliest, time for a slow machine. */
async function failsFor18s({ api, consumerId }: FailingConsumer, code: ErrorCode): Promise<void> {
  const failure = { code, status: null, detail: 'it fails', at: new Date().toISOString() };
  await api.setCursor(
    consumerId,
    `head = 1, attempt = 1, tries = 3, schedule_from = now() - interval '18 seconds',
     next_attempt_at = now(), last_failure = '${JSON.stringify(failure)}'`,
  );
}

const near = (ms: number): unknown => expect.closeTo(ms, -1.5);

test.concurrent('a short failure does not end the drain: the head alone is tried by the schedule, each attempt is stored, and the rest follows in order, beginning with a single request', async () => {
  const seen = Promise.withResolvers<void>(); // what is stored of the first two attempts
  const respond = failsUntil(3, answer(429));
  await using failing = await openFailingConsumer(
    (one, response) => {
      if (one.position !== 1 || one.attempt < 3) respond(one, response);
      else void seen.promise.then(() => respond(one, response));
    },
    { events: 40 },
  );
  const drain = await failing.start();
  await failing.tried(1, 2);
  expect(drain.isFailing).toBe(true);
  expect(await plannedSteps(failing)).toEqual([near(500), near(5_500)]);
  const cursor = await failing.cursor();
  expect(cursor).toMatchObject({ position: 0, holder: 'here', head: 1, attempt: 2, tries: 2 });
  const { next_attempt_at, last_failure } = cursor;
  expect(last_failure).toMatchObject({ code: 'THROTTLED', status: 429, detail: 'HTTP 429' });
  // What people see is what they would see of a blocked consumer.
  const shown = await failing.api.read(failing.consumerId);
  expect(shown).toMatchObject({ status: 'blocked', status_reason: 'THROTTLED: HTTP 429' });
  expect(Date.parse(shown.next_attempt_at)).toBe(Date.parse(next_attempt_at ?? ''));
  expect(shown.failing_since).toBe(cursor.schedule_from);
  expect(shown.health.notes[0]).toContain('(attempt 3)');
  seen.resolve();

  await until(async () => (await failing.cursor()).position === 40);
  expect(await failing.cursor()).toMatchObject({ head: null, attempt: 0, tries: 0 });
  expect(await failing.api.read(failing.consumerId)).toMatchObject({
    status: 'active',
    status_reason: null,
    failing_since: null,
    next_attempt_at: null,
  });
  const again = failing.receiver.received.filter((one) => one.position === 1);
  expect(again.map((one) => one.attempt)).toEqual([1, 2, 3]);
  const others = failing.receiver.received.slice(failing.receiver.received.indexOf(again[1]!));
  // Once the head was tried again, the others waited for its success.
  expect(others.slice(0, 2).map((one) => one.position)).toEqual([1, 1]);
  expect(new Set(others.map((one) => one.position)).size).toBe(40);
  drain.stop('yielded');
  expect(await failing.ended()).toMatchObject({ reason: 'yielded', position: 40, head: null });
});

test.concurrent('when the next attempt is later than the time for which the drain retries by itself, the drain ends, and deliver continues the same schedule', async () => {
  await using failing = await openFailingConsumer(answer(429));
  const short = { ownRetriesMs: 2_000 };
  await failing.start(short);
  const end = await failing.ended();
  expect(end).toMatchObject({ reason: 'blocked', position: 0, head: { position: 1, attempt: 2 } });
  const before = await failing.cursor();
  expect(before).toMatchObject({ holder: null, head: 1, attempt: 2, tries: 2 });
  expect(await failing.refuse(short)).toMatchObject({
    reason: 'blocked',
    failure: 'THROTTLED: HTTP 429',
  });

  await failing.api.api.db.query(`update consumers set status = 'blocked'`);
  const result = failedHead(await failing.attempt());
  expect(result).toMatchObject({ position: 1, attempt: 3 });
  expect(await failing.cursor()).toMatchObject({ schedule_from: before.schedule_from, tries: 3 });
  const [first, second, third = NaN] = await plannedSteps(failing);
  expect([first, second]).toEqual([near(500), near(5_500)]);
  // The time of the list that comes next, as soon as a machine gets so far.
  expect([5_500, 15_500, 35_500]).toContainEqual(near(third));
});

test.concurrent('a wait that the endpoint asks for is observed, and ends the drain immediately if it is too long for it', async () => {
  const asks = answer(503, { 'retry-after': '2' });
  await using failing = await openFailingConsumer(failsUntil(2, asks));
  await failing.start();
  await failing.tried(1, 1);
  const { asked_until, next_attempt_at } = await failing.cursor();
  expect(asked_until).toBe(next_attempt_at);
  await until(() => sent(failing.receiver).includes('1#2'));
  const [first, second] = failing.receiver.received.filter((one) => one.position === 1);
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1_990);

  await using patient = await openFailingConsumer(answer(503, { 'retry-after': '61' }));
  await patient.start({ ownRetriesMs: LATER });
  expect(await patient.ended()).toMatchObject({ reason: 'blocked', head: { attempt: 1 } });
});

test.concurrent('410 ends the drain for good', async () => {
  await using failing = await openFailingConsumer((one, response) =>
    answer(one.attempt === 1 ? 429 : 410)(one, response),
  );
  await failing.start();
  expect(await failing.ended()).toMatchObject({
    reason: 'gone',
    head: { position: 1, attempt: 2, failure: { code: 'GONE' } },
  });
  expect(await failing.cursor()).toMatchObject({ holder: null, head: 1, attempt: 2 });
  expect(await failing.refuse()).toMatchObject({ reason: 'gone' });
});

test.concurrent('after `retry` the head is tried without waiting, and its schedule continues', async () => {
  await using failing = await openFailingConsumer(answer(429));
  await failsFor18s(failing, 'THROTTLED');
  await failing.start();
  await failing.tried(1, 1);
  const before = await failing.cursor();
  expect(await failing.command({ kind: 'retry' })).toMatchObject({ ok: true });
  await failing.tried(1, 2);
  expect(Date.now()).toBeLessThan(Date.parse(before.next_attempt_at ?? ''));
  expect(await failing.cursor()).toMatchObject({
    attempt: 2,
    next_attempt_at: before.next_attempt_at,
    schedule_from: before.schedule_from,
  });
  failing.receiver.respond = accept;
  expect(await failing.command({ kind: 'retry' })).toMatchObject({ ok: true });
  await until(async () => (await failing.cursor()).position === 3);
});

test.concurrent('a pause ends the sender, and after resume the schedule begins again', async () => {
  await using failing = await openFailingConsumer(answer(429));
  await failing.start();
  await failing.tried(1, 1);
  expect(await failing.command({ kind: 'pause' })).toMatchObject({ ok: true });
  expect(await failing.ended()).toMatchObject({ reason: 'changed' });
  expect(await failing.cursor()).toMatchObject({ holder: null, head: 1 });
  expect(await failing.api.read(failing.consumerId)).toMatchObject({ status: 'paused' });
  failing.receiver.respond = accept;
  expect(await failing.command({ kind: 'resume' })).toMatchObject({ ok: true });
  expect(await failing.cursor()).toMatchObject({ head: null, schedule_from: null });
  await failing.start();
  await until(async () => (await failing.cursor()).position === 3);
});

test.concurrent('an edit that closes all waiting entries ends the failure, and one that leaves some does not', async () => {
  await using failing = await openFailingConsumer(answer(429), { consumer: { syncs: ['s'] } });
  await failsFor18s(failing, 'THROTTLED');
  await failing.start();
  await failing.tried(1, 1);
  const edit = (add: string[], remove: string[]) =>
    failing.command({ kind: 'filter', delta: { add: { syncs: add }, remove: { syncs: remove } } });
  expect(await edit(['t'], [])).toMatchObject({ ok: true });
  expect(await failing.cursor()).toMatchObject({ head: 1, attempt: 1 });
  const tries = failing.receiver.received.length;
  expect(await edit([], ['s'])).toMatchObject({ ok: true });
  await until(async () => (await failing.cursor()).head === null);
  expect(failing.receiver.received).toHaveLength(tries);
  expect(await failing.api.read(failing.consumerId)).toMatchObject({ status: 'active' });
  failing.receiver.respond = accept;
  await failing.api.append('t');
  await until(async () => (await failing.cursor()).position === 4);
  expect(failing.receiver.received).toHaveLength(tries + 1);
});

test.concurrent('a new URL is tried immediately, even if the old one has asked to wait', async () => {
  await using fresh = await openReceiver();
  await using failing = await openFailingConsumer(answer(503, { 'retry-after': '50' }));
  await failing.start({ ownRetriesMs: LATER });
  await failing.tried(1, 1);
  const { api, targetId } = failing.api;
  await api.request('PATCH', `/v1/targets/${targetId}`, { timeout_ms: 9_000 });
  const { status } = await api.request('PATCH', `/v1/targets/${targetId}`, { base_url: fresh.url });
  expect(status).toBe(200);
  await until(async () => (await failing.cursor()).position === 3);
  expect(failing.receiver.received.every((one) => one.attempt === 1)).toBe(true);
  expect(fresh.received[0]).toMatchObject({ position: 1, attempt: 2 });
});

test.concurrent('the successor of a sender that died continues with its head, on the same schedule', async () => {
  await using failing = await openFailingConsumer(answer(429));
  await failing.start();
  await failing.tried(1, 2);
  const before = await failing.cursor();
  await failing.die();
  failing.receiver.respond = accept;
  const tries = failing.receiver.received.length;
  await failing.start();
  await until(() => failing.receiver.received.length > tries);
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(before.next_attempt_at ?? '') - 50);
  expect(failing.receiver.received.at(tries)).toMatchObject({
    position: 1,
    attempt: before.attempt + 1,
  });
  await until(async () => (await failing.cursor()).position === 3);
  expect(await failing.cursor()).toMatchObject({ head: null });
});

test.concurrent('a version of a record that is superseded meanwhile is not sent any more', async () => {
  await using failing = await openFailingConsumer(answer(429), {
    events: 0,
    consumer: { stream: 'records', start: 'beginning' },
  });
  const { appender } = failing.api.api;
  const put = (n: number) =>
    appender.records([
      {
        syncId: 's',
        collectionId: 'a:b',
        upstreamId: 'r',
        data: `{"n":${n}}`,
        upstreamUpdatedAt: null,
        upstreamCreatedAt: null,
        deleted: false,
      },
    ]);
  await put(1);
  await failing.start();
  await failing.tried(1, 1);
  await put(2);
  const tries = failing.receiver.received.length;
  failing.receiver.respond = accept;
  await until(() => failing.receiver.received.some((one) => one.status === 204));
  const after = failing.receiver.received.slice(tries);
  expect(after.map((one) => one.body).some((body) => body.includes('"n":1'))).toBe(false);
  await until(async () => (await failing.cursor()).head === null);
});

test.concurrent('a failure that the message could have caused is left to deliver while entries of other records wait', async () => {
  await using several = await openFailingConsumer(answer(503), { events: 2 });
  await several.start();
  expect(await several.ended()).toMatchObject({ reason: 'blocked', head: { attempt: 1 } });

  await using alone = await openFailingConsumer(failsUntil(2, answer(503)), { events: 1 });
  await alone.start();
  await until(async () => (await alone.cursor()).position === 1);
  expect(sent(alone.receiver)).toEqual(['1#1', '1#2']);

  await using joined = await openFailingConsumer(answer(503), { events: 1 });
  await joined.start();
  await joined.tried(1, 2);
  await joined.api.append('s'); // of another record: `deliver` makes the next attempt, with it as a probe
  const { length: attempt } = joined.receiver.received;
  expect(await joined.ended()).toMatchObject({ reason: 'blocked', head: { attempt } });
});

test.concurrent('a drain that has to free its slot hands over the failing head', async () => {
  await using failing = await openFailingConsumer(answer(429), { events: 5 });
  const drain = await failing.start();
  await failing.tried(1, 1);
  drain.stop('blocked');
  expect(await failing.ended()).toMatchObject({ reason: 'blocked', head: { position: 1 } });
  expect(await failing.cursor()).toMatchObject({ holder: null, head: 1 });
});

test.concurrent('a retry that comes when the sender has just released its lease takes effect for its successor', async () => {
  await using failing = await openFailingConsumer(answer(503, { 'retry-after': '3600' }));
  await failing.start();
  await failing.ended();
  const planned = Date.parse((await failing.cursor()).next_attempt_at ?? '');
  expect(await failing.command({ kind: 'retry' })).toMatchObject({ ok: true });
  expect(Date.parse((await failing.cursor()).next_attempt_at ?? '')).toBeLessThan(planned);
});

test.concurrent('a sender whose target cannot be reached tries again as soon as another sender has reached it', async () => {
  await using failing = await openFailingConsumer(accept);
  const { api, targetId } = failing.api;
  const nobody = await openReceiver();
  await nobody[Symbol.asyncDispose]();
  await api.request('PATCH', `/v1/targets/${targetId}`, { base_url: nobody.url });
  await failsFor18s(failing, 'CONNECTION_REFUSED');
  await failing.start();
  await failing.tried(1, 1);
  await using back = await openReceiver(accept, Number(new URL(nobody.url).port));
  const planned = Date.parse((await failing.cursor()).next_attempt_at ?? '');
  failing.context.recoveries.reached(targetId);
  await until(() => back.received.length === 3);
  expect(Date.now()).toBeLessThan(planned);
  expect(back.received[0]).toMatchObject({ position: 1, attempt: 2 });
});

test.concurrent('a sender that got an answer does not try earlier because another sender has reached the endpoint', async () => {
  await using failing = await openFailingConsumer(answer(429));
  await failing.start();
  await failing.tried(1, 2);
  const planned = Date.parse((await failing.cursor()).next_attempt_at ?? '');
  const tries = failing.receiver.received.length; // so late that one which was made meanwhile is among them
  failing.context.recoveries.reached(failing.api.targetId);
  await until(() => failing.receiver.received.length > tries);
  expect(Date.now()).toBeGreaterThanOrEqual(planned - 50);
});

test.concurrent('each success wakes two of the senders that wait for the same target, once', () => {
  const recoveries = createRecoveries();
  const woken: string[] = [];
  const wakes = ['a', 'b', 'c', 'd'].map((name) => () => void woken.push(name));
  for (const wake of wakes) recoveries.join('target', wake);
  recoveries.join('other', () => void woken.push('other'));
  recoveries.leave(wakes[1]!);
  recoveries.reached('target');
  expect(woken).toEqual(['a', 'c']);
  recoveries.reached('target');
  recoveries.reached('target');
  expect(woken).toEqual(['a', 'c', 'd']);
});

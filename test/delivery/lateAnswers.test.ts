import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import {
  aboutSeconds,
  knownLate,
  lateDetail,
  lateWaitMs,
  withLate,
} from '../../src/rules/lateAnswer.ts';
import type { Failure } from '../../src/rules/outcome.ts';
import { openBlockedConsumer, type BlockedConsumer } from '../support/blocked.ts';
import { HOSTS } from '../support/hosts.ts';
import { until } from '../support/poll.ts';
import { accept, openReceiver, type Respond } from '../support/receiver.ts';
import { openWorld, someEvents } from '../support/world.ts';

/** An answer is awaited for twice as long after it: time for a slow machine. */
const TIMEOUT_MS = 2_000;
const LATE =
  /^no answer within 2000 ms; it answers, but later than its timeout \(HTTP 204 after about [\d.]+ s\)$/u;

/** An endpoint that answers when it is told to, which is late once the attempt has ended. */
function holding(): { respond: Respond; answerAll(): void } {
  const open: (() => void)[] = [];
  return {
    respond: (one, response) => void open.push(() => accept(one, response)),
    answerAll: () => {
      for (const answerOne of open.splice(0)) answerOne();
    },
  };
}

/** A blocked consumer whose endpoint has 2 s, and whose next attempt is far away if it has failed for an hour. */
async function openSlow(respond: Respond, failingFor = '1 hour'): Promise<BlockedConsumer> {
  const blocked = await openBlockedConsumer(respond, { events: 1 });
  const { api } = blocked;
  await api.api.request('PATCH', `/v1/targets/${api.targetId}`, { timeout_ms: TIMEOUT_MS });
  const from = `schedule_from = now() - interval '${failingFor}'`;
  await api.setCursor(blocked.consumerId, `head = 1, attempt = 6, tries = 6, ${from}`);
  return blocked;
}

const detailOf = async (blocked: BlockedConsumer): Promise<string> =>
  (await blocked.cursor()).last_failure?.detail ?? '';

test('an answer that comes after the timeout is not a success, but the failure says that it came, and after how long', async () => {
  const { respond, answerAll } = holding();
  await using blocked = await openSlow(respond);
  const result = await blocked.attempt();
  // The attempt has ended as every timeout: its lease is released.
  expect(result).toMatchObject({
    outcome: 'failed',
    failure: { code: 'TIMEOUT', detail: 'no answer within 2000 ms' },
  });
  expect(await blocked.cursor()).toMatchObject({ holder: null, position: 0, head: 1, tries: 7 });
  answerAll();
  await until(async () => LATE.test(await detailOf(blocked)));
  expect(await blocked.cursor()).toMatchObject({ position: 0, head: 1, tries: 7 });
  expect(await blocked.attempts()).toMatchObject([{ outcome: 'failed', status: null }]);
  const { health } = await blocked.api.read(blocked.consumerId);
  expect(health.notes[0]).toMatch(/^Answers later than its timeout \(about [\d.]+ s\) since /u);
});

test('the next failure mentions the late answer from the start, until the endpoint has not answered for the whole wait', async () => {
  const { respond, answerAll } = holding();
  await using blocked = await openSlow(respond);
  await blocked.attempt();
  answerAll();
  await until(async () => LATE.test(await detailOf(blocked)));
  blocked.receiver.respond = () => undefined;
  const result = await blocked.attempt({ schedule: { isFirst: false } });
  expect(result).toMatchObject({ failure: { detail: expect.stringMatching(LATE) } });
  await until(async () => (await detailOf(blocked)) === 'no answer within 2000 ms');
});

test('an answer from before a change of the target is not held against the endpoint', async () => {
  const { respond, answerAll } = holding();
  await using blocked = await openSlow(respond);
  const { api } = blocked;
  await blocked.attempt();
  answerAll();
  await until(async () => LATE.test(await detailOf(blocked)));
  await api.api.request('PATCH', `/v1/targets/${api.targetId}`, { headers: { a: 'b' } });
  blocked.receiver.respond = () => undefined;
  const result = await blocked.attempt();
  expect(result).toMatchObject({ failure: { detail: 'no answer within 2000 ms' } });
});

describe('a request that has timed out is ended', () => {
  /** An endpoint that never answers, and says when the sender has hung up. */
  function silent(): { respond: Respond; hungUp: number[] } {
    const hungUp: number[] = []; // positions
    const respond: Respond = ({ position }, response) => {
      void once(response, 'close').then(() => hungUp.push(position));
    };
    return { respond, hungUp };
  }

  test('before the next attempt is due', async () => {
    const { respond, hungUp } = silent();
    await using blocked = await openSlow(respond, '0 seconds');
    const now = Date.now();
    const { delayMs } = (await blocked.attempt({ schedule: { nowMs: () => now } })) as {
      delayMs: number;
    };
    expect(delayMs).toBeLessThan(lateWaitMs(TIMEOUT_MS)); // otherwise this shows nothing
    await wait(delayMs);
    // What was sent to the receiver before this request has come before it, however late timers were.
    blocked.receiver.respond = accept;
    await fetch(blocked.receiver.url);
    expect(hungUp).toEqual([1]);
  });

  test('when the next attempt comes sooner than planned', async () => {
    const { respond, hungUp } = silent();
    await using blocked = await openSlow(respond);
    await blocked.attempt();
    expect(hungUp).toEqual([]);
    blocked.receiver.respond = accept;
    expect(await blocked.attempt()).toMatchObject({ outcome: 'delivered' });
    expect(hungUp).toEqual([1]); // by the time that the next one was answered
  });

  test('immediately when no attempt follows, or when its outcome cannot be stored', async () => {
    const { respond, hungUp } = silent();
    await using blocked = await openSlow(respond);
    await blocked.attempt({ schedule: { isLast: true } });
    await until(() => hungUp.length === 1);
    const commit = (): never => {
      throw Object.assign(new Error('value out of range'), { code: '22003' });
    };
    const progress = { ...blocked.context.progress, commit };
    await expect(blocked.attempt({ context: { progress } })).rejects.toThrow('out of range');
    await until(() => hungUp.length === 2);
  });
});

test('a late answer changes nothing once another sender has taken over or a command was given', async () => {
  await using blocked = await openSlow(() => undefined);
  const { progress } = blocked.context;
  const { consumerId } = blocked;
  const { failure } = (await blocked.attempt()) as { failure: Failure };
  const { rows } = await blocked.api.api.db.query<{ epoch: number }>('select epoch from cursors');
  const epoch = rows[0]?.epoch ?? 0;
  const amended = { ...failure, detail: 'amended' };
  await progress.amendFailure({ consumerId, epoch: epoch - 1, failure: amended });
  await progress.amendFailure({ consumerId, epoch, failure: { ...amended, at: 'another time' } });
  expect(await detailOf(blocked)).toBe('no answer within 2000 ms');
  await progress.amendFailure({ consumerId, epoch, failure: amended });
  expect(await detailOf(blocked)).toBe('amended');
  await blocked.api.setCursor(consumerId, 'head = null'); // as a resume or a seek does
  await progress.amendFailure({ consumerId, epoch, failure });
  expect(await detailOf(blocked)).toBe('amended');
});

describe.concurrent.each(HOSTS)('sent to by $by', ({ options }) => {
  test('once its sender has given the retries to its workflow, a consumer shows that answers come late', async () => {
    await using world = await openWorld({ ...options, ownRetriesMs: 0, visitRetriesMs: 0 });
    await using receiver = await openReceiver(
      (one, response) => void setTimeout(() => accept(one, response), TIMEOUT_MS + 500),
    );
    const target = await world.target(receiver.url, { timeout_ms: TIMEOUT_MS });
    const consumer = await world.consumer(target);
    await world.append.events(someEvents(1));
    const detail = async () => (await world.get(consumer)).last_failure?.detail ?? '';
    await until(async () => LATE.test(await detail()));
    expect(await detail()).toMatch(LATE);
  });
});

describe('the note about a late answer', () => {
  const failure: Failure = { code: 'TIMEOUT', status: null, detail: 'no answer', at: 'now' };
  const late = { status: 200, after_ms: 16_200, target: 't/1' };

  test.each([
    ['another timeout there', withLate(failure, late), failure, 't/1', late],
    ['a timeout of another version', withLate(failure, late), failure, 't/2', null],
    [
      'a refused connection',
      withLate(failure, late),
      { ...failure, code: 'CONNECTION_REFUSED' },
      't/1',
      null,
    ],
    ['nothing known before', failure, failure, 't/1', null],
    ['nothing failed before', null, failure, 't/1', null],
  ] as const)('%s: whether a late answer stays known', (_what, earlier, failed, target, known) => {
    expect(knownLate(earlier, failed, target)).toEqual(known);
  });

  test('is written into the detail once, and can be removed from it again', () => {
    const told = withLate(withLate(failure, late), late);
    expect(told.detail).toBe(
      'no answer; it answers, but later than its timeout (HTTP 200 after about 16 s)',
    );
    expect(withLate(told, null)).toEqual(failure);
    expect(lateDetail('x', { status: 500, afterMs: 900 })).toContain('HTTP 500 after about 0.9 s');
  });

  test.each([
    [16_200, 'about 16 s'],
    [9_949, 'about 9.9 s'],
    [1_000, 'about 1 s'],
    [620, 'about 0.6 s'],
  ])('%i ms is %s', (ms, text) => {
    expect(aboutSeconds(ms)).toBe(text);
  });

  test.each([
    [500, 1_000],
    [15_000, 30_000],
    [60_000, 60_000],
  ])('with a timeout of %i ms, an answer is awaited for %i ms longer', (timeoutMs, ms) => {
    expect(lateWaitMs(timeoutMs)).toBe(ms);
  });
});

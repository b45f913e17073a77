import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { expect, test, vi } from 'vitest';

import { attemptClock } from '../../src/activities/clock.ts';
import type { HeadReport } from '../../src/activities/contract.ts';
import { deliver, type DeliverDeps } from '../../src/activities/deliver.ts';
import { WillPass } from '../../src/rules/startFault.ts';
import {
  HOLDER,
  openBlockedConsumer,
  WINDOW_MS,
  type BlockedConsumer,
} from '../support/blocked.ts';
import { faultsOf } from '../support/faults.ts';
import { accept, answer } from '../support/receiver.ts';

/** One attempt as Temporal makes it; what it throws is a value. */
function deliverOnce(
  blocked: BlockedConsumer,
  {
    last = false,
    lateMs = 0,
    ...fields
  }: Partial<DeliverDeps> & { last?: boolean; lateMs?: number } = {},
): Promise<unknown> {
  const { context, openSingle, lateAnswers, consumerId } = blocked;
  const reportHead = (): Promise<void> => Promise.resolve();
  const noting = faultsOf(blocked.api.api.db);
  const sending = { context, holder: HOLDER, openSingle, lateAnswers };
  const deps = { ...sending, reportHead, ...noting, ...fields };
  const now = Date.now() - lateMs;
  const environment = new MockActivityEnvironment(
    {
      scheduledTimestampMs: now,
      currentAttemptScheduledTimestampMs: now,
      scheduleToCloseTimeoutMs: WINDOW_MS,
    },
    { logger: new DefaultLogger('ERROR') },
  );
  return environment
    .run(() => deliver(deps, { consumerId, last }))
    .catch((error: unknown) => error);
}

test('a failure of the endpoint is thrown with when Temporal is to try again, and the workflow is notified', async () => {
  await using blocked = await openBlockedConsumer(answer(429, { 'retry-after': '40' }));
  const told: [string, HeadReport][] = [];
  const reportHead: DeliverDeps['reportHead'] = async (...report) => void told.push(report);
  const failure = await deliverOnce(blocked, { reportHead });
  const { host } = new URL(blocked.receiver.url);
  expect(failure).toMatchObject({
    type: 'THROTTLED',
    message: `${host}: HTTP 429 (attempt 1 at position 1)`,
    category: 'BENIGN',
    nonRetryable: false,
    nextRetryDelay: 40_000,
    details: [{ final: false }],
  });
  const { next_attempt_at, last_failure } = await blocked.cursor();
  const nextAttemptAt = new Date(next_attempt_at!).toISOString(); // Postgres drops zeros at the end
  // `since` is added as it is stored.
  expect(told).toMatchObject([[blocked.consumerId, { attempt: 1, nextAttemptAt }]]);
  const [[, report]] = told as [[string, HeadReport]];
  expect({ ...report.lastFailure, since: report.lastFailure.at }).toEqual(last_failure);
});

test('an attempt that begins long after Temporal scheduled it, in a process that was frozen, plans from its own time', async () => {
  await using blocked = await openBlockedConsumer(answer(503));
  const began = Date.now();
  const failure = await deliverOnce(blocked, { lateMs: 600_000 });
  const [first] = await blocked.attempts();
  const next = Date.parse(first?.next_attempt_at ?? '');
  expect(next).toBeGreaterThan(began);
  const { nextRetryDelay } = failure as ApplicationFailure;
  expect(next).toBeLessThanOrEqual(Date.now() + Number(nextRetryDelay));
  // What it has failed for includes the time in which it was frozen.
  const from = Date.parse((await blocked.cursor()).schedule_from ?? '');
  expect(began - from).toBeGreaterThan(599_000);
});

test('the failure of the last attempt is marked as not to be retried', async () => {
  await using blocked = await openBlockedConsumer(answer(429));
  const failure = await deliverOnce(blocked, { last: true });
  expect(failure).toMatchObject({ nonRetryable: true, details: [{ final: true }] });
});

test('a workflow that cannot be notified does not change the outcome of the attempt', async () => {
  await using blocked = await openBlockedConsumer(answer(429));
  const failure = await deliverOnce(blocked, {
    reportHead: () => Promise.reject(new Error('Temporal is away')),
  });
  expect(failure).toMatchObject({ type: 'THROTTLED', details: [{ final: false }] });
});

test('an attempt that fails because of Millrace itself is made again soon, whatever the backoff of the endpoint', async () => {
  await using blocked = await openBlockedConsumer(accept);
  const openSingle: DeliverDeps['openSingle'] = (config, onEnd) =>
    blocked.openSingle(config, onEnd, () => 0);
  const soon = { nextRetryDelay: '2s', nonRetryable: false };
  const message = 'a fault of this machine: the lease ended';
  expect(await deliverOnce(blocked, { openSingle })).toMatchObject({
    ...soon,
    type: 'INTERNAL',
    message,
  });
  // No retry follows the last one, so it is thrown as it came.
  const last = await deliverOnce(blocked, { openSingle, last: true });
  expect(last).toEqual(new WillPass(message));
  expect(last).not.toBeInstanceOf(ApplicationFailure);
  const away = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  const context = { ...blocked.context, loadConfig: () => Promise.reject(away) };
  const expected = { ...soon, type: 'DATABASE_UNAVAILABLE', message: away.message };
  expect(await deliverOnce(blocked, { context })).toMatchObject(expected);
});

test.each([
  { title: 'that its own timeout leaves', timeoutMs: 60_000, leftMs: 60_000 - 7_000 },
  { title: 'that the window leaves, if it has none', timeoutMs: undefined, leftMs: 90_000 - 7_000 },
])(
  'where Temporal skips time, an attempt counts from when it was scheduled, and has the time $title',
  (one) => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'], now: 0 });
    try {
      const scheduledTimestampMs = Date.UTC(2030, 0, 1); // Temporal has skipped time
      const clock = attemptClock(
        {
          scheduledTimestampMs,
          currentAttemptScheduledTimestampMs: scheduledTimestampMs + 7_000,
          scheduleToCloseTimeoutMs: one.timeoutMs,
        },
        90_000,
        Date.now,
      );
      expect(clock.nowMs()).toBe(scheduledTimestampMs + 7_000);
      expect(clock.remainingMs()).toBe(one.leftMs);
      vi.advanceTimersByTime(1_500);
      expect(clock.nowMs()).toBe(scheduledTimestampMs + 8_500);
      expect(clock.remainingMs()).toBe(one.leftMs - 1_500);
    } finally {
      vi.useRealTimers();
    }
  },
);

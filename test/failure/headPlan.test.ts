import { describe, expect, test } from 'vitest';

import { createAttemptLog } from '../../src/progress/attemptLog.ts';
import { longestRetryAfter, planHead, storedFailure } from '../../src/rules/headPlan.ts';
import { failed, type Failed } from '../../src/rules/outcome.ts';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 10, 24, 12);

describe('planHead', () => {
  const cases: {
    title: string;
    failingMs: number;
    sinceAskedMs?: number;
    askedMs?: number;
    remainingMs?: number;
    leastMs?: number;
    delayMs: number | null;
  }[] = [
    { title: 'the first failure waits for the first step', failingMs: 0, delayMs: 500 },
    { title: 'the fifth failure waits for the fifth step', failingMs: 35_500, delayMs: 40_000 },
    { title: 'so does one that came a little early', failingMs: 35_460, delayMs: 40_040 },
    { title: 'one between two times waits for the later one', failingMs: 60_000, delayMs: 15_500 },
    { title: 'one right before a time waits half a second', failingMs: 75_300, delayMs: 500 },
    { title: 'a slow one skips the times that it lasted past', failingMs: 30_000, delayMs: 5_500 },
    { title: 'the last step repeats', failingMs: 8_715_500, delayMs: 3_600_000 },
    { title: 'and goes on repeating', failingMs: 12_315_500 + 600_000, delayMs: 3_000_000 },
    { title: 'Retry-After replaces the table', failingMs: 35_500, askedMs: 3_000, delayMs: 3_000 },
    { title: 'Retry-After: 0 is a second', failingMs: 35_500, askedMs: 0, delayMs: 1_000 },
    {
      title: 'after a Retry-After the table begins again',
      failingMs: 1e7,
      sinceAskedMs: 10,
      delayMs: 500,
    },
    { title: 'and continues', failingMs: 1e7, sinceAskedMs: 5_500, delayMs: 10_000 },
    {
      title: 'unless the first list has an earlier time',
      failingMs: 75_000 - 500,
      sinceAskedMs: 5_500,
      delayMs: 1_000,
    },
    {
      title: 'a failure before the end of the requested wait waits for it',
      failingMs: 1e7,
      sinceAskedMs: -9_000,
      delayMs: 9_000,
    },
    {
      title: 'a clock that was ahead at first does not lengthen the wait',
      failingMs: -90_000,
      delayMs: 500,
    },
    { title: 'a rate limit may demand a longer wait', failingMs: 0, leastMs: 900, delayMs: 900 },
    {
      title: 'Retry-After beyond the window leads to its last attempt',
      failingMs: 0,
      askedMs: DAY_MS,
      remainingMs: 100_000,
      delayMs: 70_000,
    },
    {
      title: 'no attempt follows one in the last minute',
      failingMs: 0,
      remainingMs: 59_000,
      delayMs: null,
    },
    {
      title: 'no attempt follows one in the last minute, whatever was asked for',
      failingMs: 0,
      askedMs: 1_000,
      remainingMs: 59_000,
      delayMs: null,
    },
  ];
  test.each(cases)('$title', ({ delayMs, remainingMs, ...one }) => {
    const { failingMs, sinceAskedMs = null, askedMs = null, leastMs = 0 } = one;
    const plan = planHead({
      failingMs,
      sinceAskedMs,
      nowMs: NOW,
      remainingMs: remainingMs ?? DAY_MS,
      windowMs: DAY_MS,
      askedMs,
      stretch: 0.5,
      leastMs,
    });
    const nextAttemptAt = delayMs === null ? null : NOW + delayMs;
    const askedUntil = askedMs === null ? null : nextAttemptAt;
    expect(plan).toEqual({ delayMs, nextAttemptAt, askedUntil });
  });
});

describe('longestRetryAfter', () => {
  const cases: [string, (string | undefined)[], number | null][] = [
    ['nothing failed', [], null],
    ['no wait is asked for', [undefined, undefined], null],
    ['a value that is not understood asks for no wait', ['soon', undefined], null],
    ['one of them asks for a wait', [undefined, '7'], 7_000],
    ['the longest of several', ['7', '30', '9'], 30_000],
    ['0 counts as a wait that is asked for', ['0'], 0],
    ['a date stands for the time until then', ['1', 'Tue, 24 Nov 2026 12:00:09 GMT'], 9_000],
    ['a past date is 0', ['Tue, 24 Nov 2026 11:00:00 GMT'], 0],
  ];
  test.each(cases)('%s', (_title, values, ms) => {
    const failures = values.map((retryAfter) => ({ retryAfter }));
    expect(longestRetryAfter(failures, NOW)).toBe(ms);
  });
});

test('a failure is stored with its code, status, sentence and time', () => {
  const outcome: Failed = {
    ...failed('HTTP_5XX', 'HTTP 500'),
    status: 500,
    responseHead: 'secret',
  };
  expect(storedFailure(outcome, NOW)).toEqual({
    code: 'HTTP_5XX',
    status: 500,
    detail: 'HTTP 500',
    at: '2026-11-24T12:00:00.000Z',
  });
});

describe('the head that a drain ends with', () => {
  const refused = failed('CONNECTION_REFUSED', 'connection refused');
  const asks = (retryAfter: string): Failed => ({ ...failed('THROTTLED', 'HTTP 429'), retryAfter });
  const gone = failed('GONE', 'HTTP 410');
  const cases: {
    title: string;
    failures: [number, Failed][];
    head: {
      position: number;
      code: string;
      afterMs: [number, number] | null;
      asked: boolean;
    } | null;
  }[] = [
    { title: 'none, when nothing fails', failures: [], head: null },
    {
      title: 'is the lowest failing entry, planned by the first step of the table',
      failures: [
        [7, refused],
        [4, refused],
      ],
      head: { position: 4, code: 'CONNECTION_REFUSED', afterMs: [450, 550], asked: false },
    },
    {
      title: 'waits for the longest Retry-After of any of them',
      failures: [
        [4, asks('20')],
        [7, asks('40')],
        [9, refused],
      ],
      head: { position: 4, code: 'THROTTLED', afterMs: [40_000, 40_000], asked: true },
    },
    {
      title: 'is the entry that was answered 410, wherever it stands, and no attempt follows',
      failures: [
        [4, refused],
        [7, gone],
      ],
      head: { position: 7, code: 'GONE', afterMs: null, asked: false },
    },
  ];
  test.each(cases)('$title', ({ failures, head }) => {
    const log = createAttemptLog({
      stream: 'events',
      retryWindowMs: DAY_MS,
      now: () => NOW,
      stretch: 0.5,
    });
    for (const [position, outcome] of failures) {
      const ended = { position, messageId: 'm', attempt: 3, startedAt: NOW - 5, durationMs: 5 };
      log.failing(ended, outcome);
    }
    const found = log.failingHead(NOW, 0, null);
    const { attempts } = log.toStore();
    expect(attempts).toHaveLength(failures.length);
    if (found === null || head === null) {
      expect(found).toBe(head);
      return;
    }
    const stored = found;
    expect(stored).toMatchObject({
      position: head.position,
      attempt: 3,
      tries: 1,
      askedUntil: head.asked ? stored.nextAttemptAt : null,
      scheduleFrom: NOW,
      scheduleAgainFrom: head.asked ? stored.nextAttemptAt : null,
      failure: { code: head.code, at: '2026-11-24T11:59:59.995Z' },
    });
    const planned = attempts.filter((one) => one.nextAttemptAt !== null);
    if (head.afterMs === null) {
      expect([stored.nextAttemptAt, planned]).toEqual([null, []]);
      return;
    }
    const after = (stored.nextAttemptAt ?? 0) - NOW;
    expect(after).toBeGreaterThanOrEqual(head.afterMs[0]);
    expect(after).toBeLessThanOrEqual(head.afterMs[1]);
    // Only the head says when it is tried again.
    expect(planned.map((one) => one.position)).toEqual([head.position]);
  });
});

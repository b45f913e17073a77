import { describe, expect, test } from 'vitest';

import { createAttemptLog, toRelease } from '../../src/progress/attemptLog.ts';
import { longestRetryAfter, planHead, storedFailure } from '../../src/rules/headPlan.ts';
import { failed, type Failed } from '../../src/rules/outcome.ts';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 10, 24, 12);

describe('planHead', () => {
  const cases: {
    title: string;
    tries: number;
    askedMs?: number;
    remainingMs?: number;
    leastMs?: number;
    delayMs: number | null;
  }[] = [
    { title: 'the first failure waits for the first step', tries: 1, delayMs: 500 },
    { title: 'the fifth waits for the fifth', tries: 5, delayMs: 40_000 },
    { title: 'the last step repeats', tries: 99, delayMs: 3_600_000 },
    { title: 'Retry-After replaces the table', tries: 5, askedMs: 3_000, delayMs: 3_000 },
    { title: 'Retry-After: 0 is a second', tries: 5, askedMs: 0, delayMs: 1_000 },
    { title: 'a rate limit that asks for more holds', tries: 1, leastMs: 900, delayMs: 900 },
    {
      title: 'Retry-After beyond the window is its last attempt',
      tries: 1,
      askedMs: DAY_MS,
      remainingMs: 100_000,
      delayMs: 70_000,
    },
    { title: 'in the last minute nothing follows', tries: 1, remainingMs: 59_000, delayMs: null },
    {
      title: 'in the last minute nothing follows, whatever was asked for',
      tries: 1,
      askedMs: 1_000,
      remainingMs: 59_000,
      delayMs: null,
    },
  ];
  test.each(cases)('$title', ({ tries, askedMs = null, remainingMs, leastMs = 0, delayMs }) => {
    const plan = planHead({
      attempt: tries,
      nowMs: NOW,
      remainingMs: remainingMs ?? DAY_MS,
      windowMs: DAY_MS,
      askedMs,
      random: 0.5,
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
    ['nothing is asked for', [undefined, undefined], null],
    ['what is not understood asks for nothing', ['soon', undefined], null],
    ['one asks', [undefined, '7'], 7_000],
    ['the longest of several', ['7', '30', '9'], 30_000],
    ['0 is asked for, too', ['0'], 0],
    ['a date is what is left until then', ['1', 'Tue, 24 Nov 2026 12:00:09 GMT'], 9_000],
    ['a past date is 0', ['Tue, 24 Nov 2026 11:00:00 GMT'], 0],
  ];
  test.each(cases)('%s', (_title, values, ms) => {
    const failures = values.map((retryAfter) => ({ retryAfter }));
    expect(longestRetryAfter(failures, NOW)).toBe(ms);
  });
});

test('what is stored of a failure is its code, status and sentence, and when it was', () => {
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
    head: { position: number; code: string; afterMs: [number, number]; asked: boolean } | null;
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
      title: 'is the one that was answered 410, wherever it stands',
      failures: [
        [4, refused],
        [7, gone],
      ],
      head: { position: 7, code: 'GONE', afterMs: [450, 550], asked: false },
    },
  ];
  test.each(cases)('$title', ({ failures, head }) => {
    const log = createAttemptLog('events', DAY_MS);
    for (const [position, outcome] of failures) {
      const ended = { position, messageId: 'm', attempt: 3, startedAt: NOW - 5, durationMs: 5 };
      log.failing(ended, outcome);
    }
    const found = log.failingHead(NOW, 0);
    const { attempts } = log.toStore();
    expect(attempts).toHaveLength(failures.length);
    if (found === null || head === null) {
      expect(found).toBe(head);
      return;
    }
    const stored = toRelease(found);
    expect(stored).toMatchObject({
      position: head.position,
      attempt: 3,
      tries: 1,
      askedUntil: head.asked ? stored.nextAttemptAt : null,
      failure: { code: head.code, at: '2026-11-24T11:59:59.995Z' },
    });
    const after = (stored.nextAttemptAt ?? 0) - NOW;
    expect(after).toBeGreaterThanOrEqual(head.afterMs[0]);
    expect(after).toBeLessThanOrEqual(head.afterMs[1]);
    // Only the head says when it is tried again.
    const planned = attempts.filter((one) => one.nextAttemptAt !== null);
    expect(planned.map((one) => one.position)).toEqual([head.position]);
  });
});

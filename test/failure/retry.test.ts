import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { lastAttemptMarginMs, nextDelayMs, parseRetryAfter } from '../../src/rules/retry.ts';

const DAY_MS = 86_400_000;
const windowMs = fc.oneof(fc.constant(DAY_MS), fc.integer({ min: 1_000, max: 7 * DAY_MS }));
const stretch = fc.double({ min: 0, max: 1, noNaN: true });
const asked = fc.oneof(
  fc.constant(null),
  fc.constantFrom(0, 1, 999, 60_000, DAY_MS, Number.MAX_SAFE_INTEGER),
  fc.nat(2 * DAY_MS),
);

/** When the attempts of a window are made; each takes `tookMs` and fails. */
function attemptsOf(window: number, tookMs: () => number, stretch: number): number[] {
  const made: number[] = [];
  for (let at = 0; made.length < 10_000;) {
    made.push(at);
    const ended = at + tookMs();
    const delay = nextDelayMs({
      failingMs: ended,
      sinceAskedMs: null,
      remainingMs: window - ended,
      windowMs: window,
      retryAfterMs: null,
      stretch,
    });
    if (delay === null) return made;
    at = ended + delay;
  }
  throw new Error('it never ends');
}

describe('nextDelayMs', () => {
  test('is never 0, and never longer than the rest of the window less the margin', () => {
    fc.assert(
      fc.property(
        fc.record({
          failingMs: fc.integer({ min: -DAY_MS, max: 7 * DAY_MS }),
          sinceAskedMs: fc.option(fc.integer({ min: -DAY_MS, max: DAY_MS })),
          remainingMs: fc.integer({ min: -DAY_MS, max: 7 * DAY_MS }),
          windowMs,
          retryAfterMs: asked,
          stretch,
        }),
        (request) => {
          const delay = nextDelayMs(request);
          const margin = lastAttemptMarginMs(request.windowMs);
          if (delay === null) {
            expect(request.remainingMs).toBeLessThanOrEqual(2 * margin);
            return;
          }
          expect(delay).toBeGreaterThanOrEqual(1);
          expect(delay).toBeLessThanOrEqual(request.remainingMs - margin);
          const { retryAfterMs } = request;
          if (retryAfterMs !== null) {
            const asked = Math.max(1_000, retryAfterMs); // never the next millisecond
            expect(delay).toBe(Math.min(asked, request.remainingMs - margin));
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test('without Retry-After follows the schedule, give or take 10 %', () => {
    const delays = [0, 0.5, 1].map((stretched) => {
      const made = attemptsOf(DAY_MS, () => 0, stretched).slice(0, 15);
      return made.slice(1).map((at, index) => Math.round((at - made[index]!) / 100));
    });
    const seconds = [0.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600];
    expect(delays).toEqual(
      [0.9, 1, 1.1].map((factor) => seconds.map((one) => Math.round(one * factor * 10))),
    );
  });

  test('waits at least as long as a rate limit requires, within the window', () => {
    const began = { failingMs: 0, sinceAskedMs: null, stretch: 0.5 };
    const request = { ...began, windowMs: DAY_MS, retryAfterMs: null };
    expect(nextDelayMs({ ...request, remainingMs: DAY_MS, leastMs: 900 })).toBe(900);
    expect(nextDelayMs({ ...request, remainingMs: DAY_MS, leastMs: 100 })).toBe(500);
    expect(nextDelayMs({ ...request, remainingMs: 60_500, leastMs: 90_000 })).toBe(30_500);
  });

  test('makes the last attempt of any window within the margin before its end', () => {
    fc.assert(
      fc.property(windowMs, stretch, (window, stretched) => {
        const margin = lastAttemptMarginMs(window);
        const made = attemptsOf(window, () => 0, stretched);
        const last = made.at(-1) ?? 0;
        expect(last).toBeLessThanOrEqual(window - margin + 0.001);
        expect(last).toBeGreaterThanOrEqual(window - 2 * margin);
      }),
    );
  });

  test('makes at least 25 attempts in 24 hours, the last one in the last minute, for slow endpoints as well', () => {
    fc.assert(
      fc.property(fc.nat(30_000), stretch, (tookMs, stretched) => {
        const made = attemptsOf(DAY_MS, () => tookMs, stretched);
        expect(made.length).toBeGreaterThanOrEqual(25);
        const endedAt = (made.at(-1) ?? 0) + tookMs;
        expect(endedAt).toBeGreaterThanOrEqual(DAY_MS - 60_000);
        expect(endedAt).toBeLessThanOrEqual(DAY_MS);
      }),
    );
  });
});

describe('parseRetryAfter', () => {
  const now = Date.UTC(2026, 10, 24, 12);
  const second = fc.integer({ min: 0, max: Date.UTC(2199, 11, 31) / 1_000 });

  test('accepts any number of seconds, however absurd', () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom('', ' ', '\t'), (seconds, space) => {
        expect(parseRetryAfter(`${space}${seconds}${space}`, now)).toBe(seconds * 1_000);
      }),
    );
    fc.assert(
      fc.property(fc.bigInt({ min: 0n }), (seconds) => {
        const ms = parseRetryAfter(String(seconds), now);
        expect(ms).not.toBeNull();
        expect(Number.isFinite(ms)).toBe(true);
        expect(ms).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER);
      }),
    );
    expect(parseRetryAfter('9'.repeat(1_000), now)).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('reads a date as the time that is left until then, and a past date as no wait', () => {
    fc.assert(
      fc.property(second, (at) => {
        const ms = Math.max(0, at * 1_000 - now);
        expect(parseRetryAfter(new Date(at * 1_000).toUTCString(), now)).toBe(ms);
      }),
    );
  });

  test('reads all three date formats of RFC 9110 as UTC', () => {
    const zone = process.env['TZ'];
    try {
      process.env['TZ'] = 'America/New_York';
      for (const form of [
        'Tue, 24 Nov 2026 12:00:07 GMT',
        'Tuesday, 24-Nov-26 12:00:07 GMT',
        'Tue Nov 24 12:00:07 2026',
      ]) {
        expect(parseRetryAfter(form, now), form).toBe(7_000);
      }
      expect(parseRetryAfter('Sun Dec  6 12:00:00 2026', now)).toBe(12 * DAY_MS);
    } finally {
      if (zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = zone;
    }
  });

  test('ignores everything else', () => {
    const garbage = fc.oneof(
      fc.string(),
      fc
        .tuple(fc.constantFrom('Mon', 'Sunday, ', 'Tue, 24 Nov '), fc.string())
        .map((both) => both.join('')),
      fc.constantFrom(
        '',
        '-1',
        '+1',
        '1.5',
        '1e3',
        '0x10',
        '١',
        'soon',
        'Mon 5',
        'Sunday',
        '2026-11-24T12:00:07Z',
        '120 seconds',
        'Tue, 99 Nov 2026 99:99:99 GMT',
      ),
    );
    fc.assert(
      fc.property(
        garbage.filter((value) => !/^\s*\d+\s*$/u.test(value)),
        (value) => {
          expect(parseRetryAfter(value, now)).toBeNull();
        },
      ),
      { numRuns: 2_000 },
    );
    expect(parseRetryAfter(undefined, now)).toBeNull();
  });
});

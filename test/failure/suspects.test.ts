import fc from 'fast-check';
import { expect, test } from 'vitest';

import { createSuspects } from '../../src/failure/suspects.ts';
import { createInFlightLimit } from '../../src/flow/inFlightLimit.ts';
import { createPace } from '../../src/flow/pace.ts';
import { blameOf, failed } from '../../src/rules/outcome.ts';

test('without a success of another record nothing is ever parked, however often it fails', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 200 }), (slots) => {
      const suspects = createSuspects<number>();
      let now = 0;
      for (const slot of slots) {
        now += 10;
        expect(suspects.failed(slot, `r${slot}`, now - 5, now)).toBe('wait');
      }
    }),
  );
});

test('one is parked only when it fails in a request that started after the success that spoke against it', () => {
  const suspects = createSuspects<string>();
  expect(suspects.failed('a', 'ra', 0, 10)).toBe('wait');
  suspects.succeeded('x', 'rx', 9, 20); // started before a had failed: says nothing
  suspects.succeeded('y', 'ra', 12, 21); // of the same record: says nothing
  expect(suspects.failed('a', 'ra', 30, 40)).toBe('wait');
  suspects.succeeded('z', 'rz', 41, 50);
  expect(suspects.failed('a', 'ra', 45, 55)).toBe('wait'); // it was under way already
  expect(suspects.failed('a', 'ra', 60, 65)).toBe('park');
  expect(suspects.size).toBe(0);
});

test('five that nothing speaks for are too many, and one success of another makes them few again', () => {
  const suspects = createSuspects<number>();
  for (let slot = 0; slot < 5; slot += 1) suspects.failed(slot, `r${slot}`, 0, 1);
  expect(suspects.tooMany).toBe(true);
  suspects.succeeded(9, 'r9', 2, 3);
  expect(suspects.tooMany).toBe(false);
  expect(suspects.due(100).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
  expect(suspects.due(10_000)).toEqual([]);
});

test('coming back, an endpoint gets one request, then ten, then all it bears', () => {
  const flow = createInFlightLimit({ max: 64, found: null, ramp: true });
  const limits = [flow.limit];
  for (let index = 0; index < 12; index += 1) {
    flow.success();
    limits.push(flow.limit);
  }
  expect(limits).toEqual([1, ...Array.from({ length: 10 }, () => 10), 64, 64]);
  expect(flow.ramping).toBe(false);
});

test('overload halves what is in flight, which then grows slowly and never beyond the maximum', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.array(fc.boolean(), { maxLength: 500 }),
      (max, successes) => {
        const flow = createInFlightLimit({ max, found: null, ramp: false });
        for (const success of successes) {
          const before = flow.limit;
          if (success) flow.success();
          else flow.overload();
          expect(flow.limit).toBeLessThanOrEqual(max);
          expect(flow.limit).toBeGreaterThanOrEqual(1);
          if (success) expect(flow.limit).toBeLessThanOrEqual(before + 1);
          else expect(flow.limit).toBe(Math.max(1, Math.floor(before / 2)));
        }
      },
    ),
  );
});

test('a rate of requests is kept over any second, but for one tick', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2_000 }), (rate) => {
      const pace = createPace(rate);
      const started: number[] = [];
      for (let now = 1_000; now < 4_000; now += 5) {
        while (pace.may(now)) {
          pace.started(now);
          started.push(now);
        }
      }
      for (const from of started) {
        const within = started.filter((one) => one >= from && one < from + 1_000).length;
        expect(within).toBeLessThanOrEqual(Math.ceil(rate * 1.05) + 1);
      }
    }),
    { numRuns: 20 },
  );
});

test('a pace goes on from its predecessor, and from its last request when its rate changes', () => {
  const pace = createPace(2, 700);
  expect([pace.waitMs(0), pace.may(649), pace.may(650)]).toEqual([700, false, true]);
  pace.started(700);
  expect([pace.waitMs(900), pace.may(900)]).toEqual([300, false]);
  pace.change(4);
  expect(pace.waitMs(900)).toBe(50);
  pace.change(null);
  expect([pace.waitMs(900), pace.may(900)]).toEqual([0, true]);
  pace.started(900);
  pace.change(1);
  expect(pace.waitMs(1_000)).toBe(900);
});

test('what says something of the endpoint, of the message, and for good', () => {
  const http = (status: number, retryAfter?: string) =>
    blameOf({ ...failed('HTTP_5XX', ''), status, retryAfter });
  expect([429, 502, 503, 504].map((status) => http(status))).toEqual(Array(4).fill('endpoint'));
  expect([301, 400, 401, 404, 422, 500].map((status) => http(status))).toEqual(
    Array(6).fill('message'),
  );
  expect(http(500, '30')).toBe('endpoint');
  expect(blameOf(failed('CONNECTION_REFUSED', ''))).toBe('endpoint');
  expect(blameOf({ ...failed('GONE', ''), status: 410 })).toBe('gone');
});

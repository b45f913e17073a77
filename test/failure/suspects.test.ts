import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { createSuspects, type FailedTry, type Suspects } from '../../src/failure/suspects.ts';
import { createInFlightLimit } from '../../src/flow/inFlightLimit.ts';
import { createPace } from '../../src/flow/pace.ts';
import {
  blameOf,
  codeOfStatus,
  failed,
  isSameFailure,
  mayBeMessage,
  type Blame,
  type ErrorCode,
  type Failed,
} from '../../src/rules/outcome.ts';

/** A failed attempt that was answered, e.g. with 400; times in ms. */
function answered(record: string, startedAt: number, endedAt: number): FailedTry {
  return { record, startedAt, endedAt, answered: true, contradictedSince: () => false };
}

/** A failed attempt without an answer; `contradicted`: a request of another record started later and succeeded. */
function unanswered(
  record: string,
  startedAt: number,
  endedAt: number,
  contradicted = false,
): FailedTry {
  return { record, startedAt, endedAt, answered: false, contradictedSince: () => contradicted };
}

test('without a success of another record no entry is ever parked, however often it fails', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.boolean()), { maxLength: 200 }),
      (tries) => {
        const suspects = createSuspects<number>();
        let now = 0;
        for (const [slot, isAnswered] of tries) {
          now += 10;
          const attempt = isAnswered ? answered : unanswered;
          expect(suspects.failed(slot, attempt(`r${slot}`, now - 5, now))).toBe('wait');
        }
      },
    ),
  );
});

test('for an entry that failed in a batch before, what others did since that batch counts when its own retries are used up', () => {
  const suspects = createSuspects<string>();
  const since: number[] = [];
  const failsAgain = (startedAt: number) =>
    suspects.failed('a', {
      ...answered('ra', startedAt, startedAt + 5),
      batchStartedAt: 100,
      contradictedSince: (time) => {
        since.push(time);
        return time < 110; // the rest of the batch was delivered after it had failed
      },
    });
  expect([200, 500, 1_100, 2_200].map(failsAgain)).toEqual(['wait', 'wait', 'wait', 'park']);
  expect(since).toEqual([100]);
});

test('an entry that hangs alone, as its batch did, is proven by what the rest of the batch did meanwhile', () => {
  const suspects = createSuspects<string>();
  const hangs = (startedAt: number, endedAt: number) =>
    suspects.failed('a', {
      ...unanswered('ra', startedAt, endedAt),
      batchStartedAt: 100,
      contradictedSince: (time) => time < 110,
    });
  expect(hangs(15_100, 30_100)).toBe('wait');
  expect(suspects.due(30_200)).toEqual(['a']);
  expect(hangs(30_200, 45_200)).toBe('park');
});

test('failed batches count beside suspects towards the doubt about an endpoint', () => {
  const suspects = createSuspects<string>();
  for (const slot of ['a', 'b']) suspects.failed(slot, answered(slot, 0, 1));
  expect(suspects.tooMany).toBe(false);
  expect(suspects.tooManyWith(2, 0)).toBe(false);
  expect(suspects.tooManyWith(3, 0)).toBe(true);
  expect(suspects.tooManyWith(2, 2)).toBe(true);
});

test('a suspect is parked only when a request fails that started after the success that is evidence against it', () => {
  const suspects = createSuspects<string>();
  expect(suspects.failed('a', answered('ra', 0, 10))).toBe('wait');
  suspects.succeeded('x', 'rx', 9, 20); // started before a had failed: says nothing
  suspects.succeeded('y', 'ra', 12, 21); // of the same record: says nothing
  expect(suspects.failed('a', answered('ra', 30, 40))).toBe('wait');
  suspects.succeeded('z', 'rz', 41, 50);
  expect(suspects.failed('a', answered('ra', 45, 55))).toBe('wait'); // it was under way already
  expect(suspects.failed('a', answered('ra', 60, 65))).toBe('park');
  expect(suspects.size).toBe(0);
});

describe('a suspect that was answered, and after which nothing else was sent', () => {
  /** Fails with all its quick retries; others that started at this time have succeeded. */
  function verdicts(suspects: Suspects<string>, othersAt: number): string[] {
    const tries = [10, 260, 760, 1_760].map((at) => answered('ra', at, at + 5));
    const contradictedSince = (time: number): boolean => othersAt > time;
    return tries.map((one) => suspects.failed('a', { ...one, contradictedSince }));
  }

  test('is parked once its quick retries are used up, if other requests that started after it have succeeded', () => {
    const suspects = createSuspects<string>();
    expect(verdicts(suspects, 12)).toEqual(['wait', 'wait', 'wait', 'park']);
    expect([suspects.size, suspects.exhausted]).toEqual([0, false]);
  });

  test('waits for the outcome of others if those had started before it', () => {
    const suspects = createSuspects<string>();
    expect(verdicts(suspects, 9)).toEqual(['wait', 'wait', 'wait', 'wait']);
    expect(suspects.exhausted).toBe(true);
  });

  test('waits for the outcome of others while one of those is a suspect as well', () => {
    const suspects = createSuspects<string>();
    suspects.failed('b', answered('rb', 11, 20));
    expect(verdicts(suspects, 12)).toEqual(['wait', 'wait', 'wait', 'wait']);
  });
});

describe('a suspect that gets no answer', () => {
  test('is parked after its next failure when other requests that started after it have succeeded', () => {
    const suspects = createSuspects<string>();
    expect(suspects.failed('a', unanswered('ra', 0, 15_000, true))).toBe('wait');
    expect(suspects.exhausted).toBe(false);
    expect(suspects.due(15_025)).toEqual(['a']);
    expect(suspects.failed('a', unanswered('ra', 15_025, 30_025))).toBe('park');
  });

  test('is not tried again by itself: it waits until a success of another entry is evidence against it', () => {
    const suspects = createSuspects<string>();
    suspects.failed('a', unanswered('ra', 0, 15_000));
    expect([suspects.exhausted, suspects.due(1e9)]).toEqual([true, []]);
    suspects.succeeded('b', 'rb', 0, 15_100); // started with it: says nothing
    expect(suspects.exhausted).toBe(true);
    suspects.succeeded('c', 'rc', 14_000, 15_200); // while it hung
    expect([suspects.exhausted, suspects.due(15_225)]).toEqual([false, ['a']]);
  });

  test('is not parked while there are other suspects without evidence against them, because the endpoint may have gone down', () => {
    const suspects = createSuspects<string>();
    suspects.failed('a', unanswered('ra', 0, 15_000, true)); // others succeeded at first
    suspects.due(15_025);
    suspects.failed('b', unanswered('rb', 14_000, 29_000));
    expect(suspects.failed('a', unanswered('ra', 15_025, 30_025))).toBe('wait');
    expect([suspects.tooMany, suspects.exhausted]).toEqual([true, true]);
    suspects.succeeded('c', 'rc', 30_030, 30_040); // it is up after all
    expect([suspects.tooMany, suspects.exhausted]).toEqual([false, false]);
    expect(suspects.due(30_065).toSorted()).toEqual(['a', 'b']);
    expect(suspects.failed('a', unanswered('ra', 30_065, 45_065))).toBe('park');
    expect(suspects.failed('b', unanswered('rb', 30_065, 45_065))).toBe('park');
    expect(suspects.size).toBe(0);
  });

  test('puts the endpoint in doubt together with one other like it; of suspects that were answered it takes five', () => {
    const suspects = createSuspects<number>();
    suspects.failed(0, unanswered('r0', 0, 1));
    for (let slot = 1; slot < 4; slot += 1) suspects.failed(slot, answered(`r${slot}`, 0, 1));
    expect(suspects.tooMany).toBe(false);
    suspects.failed(1, unanswered('r1', 2, 3)); // answered before, but not this time
    expect(suspects.tooMany).toBe(true);
    suspects.forget(0);
    expect(suspects.tooMany).toBe(false);
  });
});

test('five suspects without evidence against them put the endpoint in doubt, and one success of another entry ends the doubt', () => {
  const suspects = createSuspects<number>();
  for (let slot = 0; slot < 5; slot += 1) suspects.failed(slot, answered(`r${slot}`, 0, 1));
  expect(suspects.tooMany).toBe(true);
  suspects.succeeded(9, 'r9', 2, 3);
  expect(suspects.tooMany).toBe(false);
  expect(suspects.due(100).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
  expect(suspects.due(10_000)).toEqual([]);
});

test('an endpoint that works again gets one request, then ten, then as many as before', () => {
  const flow = createInFlightLimit({ max: 64, found: null, ramp: true });
  const limits = [flow.limit];
  for (let index = 0; index < 12; index += 1) {
    flow.success();
    limits.push(flow.limit);
  }
  expect(limits).toEqual([1, ...Array.from({ length: 10 }, () => 10), 64, 64]);
  expect(flow.ramping).toBe(false);
});

test('overload halves the number of requests in flight, which then grows slowly and never beyond the maximum', () => {
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

test('a rate limit holds over any second, give or take one tick', () => {
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

test('the spacing of requests continues from the previous sender, and from the last request when the rate changes', () => {
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

describe('what a failure is blamed on, and whether the message may be its cause', () => {
  const without = (code: ErrorCode): Failed => failed(code, '');
  const http = (status: number, retryAfter?: string): Failed => ({
    ...failed(codeOfStatus(status) ?? 'HTTP_5XX', ''),
    status,
    retryAfter,
  });
  test.each<[string, Failed, Blame, boolean]>([
    ['refused', without('CONNECTION_REFUSED'), 'endpoint', false],
    ['no such name', without('DNS_FAILED'), 'endpoint', false],
    ['TLS', without('TLS_FAILED'), 'endpoint', false],
    ['an address that is not allowed', without('ADDRESS_REFUSED'), 'endpoint', false],
    ['no token', without('CREDENTIALS_FAILED'), 'endpoint', false],
    ['a time-out', without('TIMEOUT'), 'message', true],
    ['a lost connection', without('CONNECTION_RESET'), 'message', true],
    ['a time-out while connecting', failed('TIMEOUT', '', 'connect'), 'endpoint', false],
    ['a loss while connecting', failed('CONNECTION_RESET', '', 'connect'), 'endpoint', false],
    ['an answer that cannot be read', without('PROTOCOL_ERROR'), 'message', true],
    ['301', http(301), 'message', true],
    ['400', http(400), 'message', true],
    ['401', http(401), 'message', true],
    ['404', http(404), 'message', true],
    ['422', http(422), 'message', true],
    ['500', http(500), 'message', true],
    ['500 with Retry-After', http(500, '30'), 'endpoint', false],
    ['410', http(410), 'gone', false],
    ['429', http(429), 'endpoint', false],
    ['502', http(502), 'endpoint', true],
    ['503', http(503), 'endpoint', true],
    ['504', http(504), 'endpoint', true],
    ['503 with Retry-After', http(503, '30'), 'endpoint', false],
  ])('%s', (_name, failure, blame, maybe) => {
    expect([blameOf(failure), mayBeMessage(failure)]).toEqual([blame, maybe]);
  });

  test('failures are of the same kind if they have the same status or code, or if neither got an answer', () => {
    expect(isSameFailure(http(400), http(400))).toBe(true);
    expect(isSameFailure(http(400), http(422))).toBe(false);
    expect(isSameFailure(without('TIMEOUT'), without('CONNECTION_RESET'))).toBe(true);
    expect(isSameFailure(http(500), without('TIMEOUT'))).toBe(false);
    expect(isSameFailure(without('PROTOCOL_ERROR'), without('PROTOCOL_ERROR'))).toBe(true);
    expect(isSameFailure(without('PROTOCOL_ERROR'), without('TIMEOUT'))).toBe(false);
  });
});

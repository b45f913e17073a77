import { expect, test } from 'vitest';

import { createCallPace, type PacedCall } from '../../src/wake/callPace.ts';

type Ends = 'answered' | 'failed';

interface UnderWay {
  call: PacedCall;
  since: number;
}

/** Calls for which there is always more to do: as many as may begin do so, and they end in their order. */
function createCalls(random = 1) {
  const pace = createCallPace({ random: () => random });
  const underWay: UnderWay[] = [];
  let now = 0;

  function begin(): void {
    while (pace.mayBegin(now)) underWay.push({ call: pace.begin(now), since: now });
  }

  begin();
  return {
    pace,
    /** The next `count` calls end, each `tookMs` after it began or later; others begin in their places. */
    end: (ends: Ends, tookMs: number, count = 1) => {
      for (let left = count; left > 0; left -= 1) {
        if (underWay.length === 0) now += pace.waitMs(now);
        begin();
        const next = underWay.shift();
        if (next === undefined) throw new Error('no call may begin');
        now = Math.max(now, next.since + tookMs);
        next.call[ends](now);
        begin();
      }
    },
    state: () => ({ limit: pace.limit, underWay: underWay.length, waitMs: pace.waitMs(now) }),
  };
}

type Step = [ends: Ends, tookMs: number, count?: number];

const QUICK: Step = ['answered', 5, 200];

const cases: [what: string, steps: Step[], limit: number, waitMs: number][] = [
  ['nothing has ended', [], 8, 0],
  ['four calls are answered', [['answered', 5, 4]], 12, 0],
  ['many calls are answered', [QUICK], 32, 0],
  ['one call fails', [QUICK, ['failed', 5]], 16, 0],
  ['one call fails among answered ones', [QUICK, ['failed', 5], ['answered', 5, 20]], 16, 0],
  ['two calls fail that had begun together', [QUICK, ['failed', 5, 2]], 16, 0],
  ['three calls in a row fail', [QUICK, ['failed', 5, 3]], 1, 500],
  ['all calls in progress fail, the last of them 5 ms later', [QUICK, ['failed', 5, 32]], 1, 495],
  ['all, and then the single one', [QUICK, ['failed', 5, 33]], 1, 1_000],
  ['the single one fails three times', [QUICK, ['failed', 5, 35]], 1, 4_000],
  ['it fails for long', [QUICK, ['failed', 5, 100]], 1, 5_000],
  ['the single one is answered', [QUICK, ['failed', 5, 35], ['answered', 5]], 2, 0],
  ['three are', [QUICK, ['failed', 5, 35], ['answered', 5, 3]], 4, 0],
  ['fifteen are', [QUICK, ['failed', 5, 35], ['answered', 5, 15]], 16, 0],
  [
    'it fails again after an answer',
    [QUICK, ['failed', 5, 35], ['answered', 5], ['failed', 5, 3]],
    1,
    500,
  ],
  ['two answers are slow', [QUICK, ['answered', 5, 32], ['answered', 150, 2]], 32, 0],
  ['three in a row are', [QUICK, ['answered', 150, 35]], 16, 0],
  ['they stay slow', [QUICK, ['answered', 150, 32 + 3 + 16]], 8, 0],
];

test.each(cases)('how many calls may be in progress when %s', (_what, steps, limit, waitMs) => {
  const { end, state } = createCalls();
  for (const step of steps) end(...step);
  expect(state()).toMatchObject({ limit, waitMs });
});

test('a limit that is not fully used does not grow', () => {
  const pace = createCallPace({ random: () => 1 });
  for (let now = 0; now < 100_000; now += 1_000) pace.begin(now).answered(now + 5);
  expect(pace.limit).toBe(8);
});

test('above the number of calls at which Temporal failed, the limit grows by one with each round', () => {
  const { end, state } = createCalls();
  end(...QUICK);
  end('failed', 5);
  end('answered', 5, 31); // they had begun before
  expect(state().limit).toBe(16);
  const rounds = Array.from({ length: 5 }, () => {
    end('answered', 5, state().limit);
    return state().limit;
  });
  expect(rounds).toEqual([17, 18, 19, 20, 21]);
});

test('a call that takes long while no other is in progress does not count as slow', () => {
  const { end, state } = createCalls();
  end('answered', 400, 100);
  expect(state().limit).toBe(32);
});

test('a Temporal that stays slow for other reasons gets more than one call at a time again', () => {
  const { end, state } = createCalls();
  end(...QUICK);
  for (let calls = 0; state().limit > 1; calls += 1) {
    end('answered', 600);
    expect(calls).toBeLessThan(100);
  }
  end('answered', 600, 20);
  expect(state().limit).toBeGreaterThan(3);
});

test('an answer that takes two seconds counts as slow even where that is usual', () => {
  const { end, state } = createCalls();
  end('answered', 2_500, 200);
  expect(state().limit).toBe(1);
});

test.each([
  [0, 250],
  [0.5, 375],
  [1, 500],
])('pauses are shortened at random: by %d to %d ms', (random, waitMs) => {
  const { end, state } = createCalls(random);
  end('failed', 5, 3);
  expect(state()).toMatchObject({ limit: 1, waitMs });
});

test('while calls from before a pause are in progress, no call begins after it', () => {
  const pace = createCallPace({ random: () => 1 });
  const [first, second, third, last] = [0, 0, 0, 0].map((now) => pace.begin(now));
  for (const call of [first, second, third]) call?.failed(10);
  expect(pace.mayBegin(509)).toBe(false);
  expect(pace.mayBegin(510)).toBe(false);
  last?.failed(600);
  expect(pace.mayBegin(600)).toBe(true);
});

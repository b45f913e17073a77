import { expect, test } from 'vitest';

import { createChannelPace, type ChannelPace } from '../../src/alerts/channelPace.ts';

/** Failures at these moments, ms. */
function failedAt(pace: ChannelPace, ...moments: number[]): ChannelPace {
  for (const moment of moments) pace.failed(moment);
  return pace;
}

const cases: [what: string, failures: number[], now: number, slots: number, waitMs: number][] = [
  ['nothing has failed', [], 0, 4, 0],
  ['one has failed', [0], 0, 3, 0],
  ['a few have failed', [0, 0, 0], 0, 1, 0],
  ['all slots have failed in a row', [0, 0, 0, 0], 0, 0, 1_000],
  ['the pause is over', [0, 0, 0, 0], 1_000, 1, 0],
  ['the single one fails', [0, 0, 0, 0, 1_000], 1_001, 0, 1_999],
  ['it fails once more', [0, 0, 0, 0, 1_000, 3_000], 3_000, 0, 4_000],
  ['it has failed for long', [...Array.from({ length: 40 }, () => 0), 9_000], 9_000, 0, 60_000],
];

test.each(cases)('how many may be sent at once when %s', (_what, failures, now, slots, waitMs) => {
  const pace = failedAt(createChannelPace({ slots: 4 }), ...failures);
  expect({ slots: pace.slots(now), waitMs: pace.waitMs(now) }).toEqual({ slots, waitMs });
});

test('an answer opens all slots immediately', () => {
  const pace = failedAt(createChannelPace({ slots: 4 }), 0, 0, 0, 0, 0);
  pace.answered();
  expect({ slots: pace.slots(0), waitMs: pace.waitMs(0) }).toEqual({ slots: 4, waitMs: 0 });
});

import { expect, test } from 'vitest';

import type { Drained } from '../../src/activities/contract.ts';
import {
  afterDeliver,
  afterDrain,
  type DeliverEnding,
  type Verdict,
} from '../../src/workflows/verdicts.ts';

const LOOK: Verdict = { do: 'look', thenWaitMs: 0 };

/** A missing case does not compile. */
const DRAIN: Record<Drained['reason'], { alone: Verdict; outdated: Verdict }> = {
  idle: { alone: { do: 'believe', idle: true }, outdated: LOOK },
  yielded: { alone: { do: 'believe', idle: false }, outdated: { do: 'believe', idle: false } },
  blocked: { alone: { do: 'block' }, outdated: { do: 'block' } },
  gone: { alone: { do: 'stop', why: 'gone' }, outdated: { do: 'stop', why: 'gone' } },
  parked: { alone: { do: 'stop', why: 'parked' }, outdated: { do: 'stop', why: 'parked' } },
  changed: { alone: LOOK, outdated: LOOK },
  unstartable: { alone: LOOK, outdated: LOOK },
  fenced: { alone: LOOK, outdated: LOOK },
};

const DELIVER: Record<DeliverEnding, Verdict> = {
  delivered: { do: 'unblock', success: true },
  parked: { do: 'unblock', success: true },
  clear: { do: 'unblock', success: false },
  changed: LOOK,
  unstartable: LOOK,
  gone: { do: 'stop', why: 'gone' },
  final: { do: 'stop', why: 'window' },
  cancelled: LOOK,
  failed: { do: 'look', thenWaitMs: 1_000 },
};

test.each(Object.entries(DRAIN))('the consequence of a drain that ended: %s', (reason, verdict) => {
  expect(afterDrain(reason as Drained['reason'], false)).toEqual(verdict.alone);
  expect(afterDrain(reason as Drained['reason'], true)).toEqual(verdict.outdated);
});

test('after a drain that failed, the row is read', () => {
  expect(afterDrain(null, false)).toEqual(LOOK);
  expect(afterDrain(null, true)).toEqual(LOOK);
});

test.each(Object.entries(DELIVER))(
  'the consequence of a deliver that ended: %s',
  (ending, verdict) => {
    expect(afterDeliver(ending as DeliverEnding)).toEqual(verdict);
  },
);

test('after a reason to end that only a later version knows, the row is read', () => {
  expect(afterDrain('unheard of' as Drained['reason'], false)).toEqual(LOOK);
  expect(afterDeliver('unheard of' as DeliverEnding)).toEqual(LOOK);
});

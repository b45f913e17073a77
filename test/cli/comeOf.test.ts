import { expect, test } from 'vitest';

import { comeOf, notKnown } from '../../src/cli/comeOf.ts';
import type { Attempt } from '../../src/schema/attempt.ts';
import type { Consumer } from '../../src/schema/consumer.ts';
import { openConsumersApi } from '../support/consumers.ts';

test.each([
  [{ entries: 3, seconds: 1, exact: true }, '3 still waiting, 2 parked'],
  [{ entries: 806, seconds: 1, exact: false }, 'up to 806 still waiting, 2 parked'],
  [{ entries: 0, seconds: 0, exact: true }, '2 parked'],
])('a verdict says what is left, and where that is an upper bound: %j', async (lag, left) => {
  await using opened = await openConsumersApi();
  const before = (await opened.create()) as Consumer;
  const delivered = { outcome: 'delivered', status: 200 } as Attempt;
  const now = { ...before, lag, parked: 2 };
  const seen = { before, answered: before, now, attempts: [delivered], isBusy: false };
  const text = `Tried: 1 delivered; ${left}`;
  expect(comeOf(seen)).toEqual({ ok: true, text });
  expect(notKnown(seen, 30)).toEqual({ ok: true, text });
});

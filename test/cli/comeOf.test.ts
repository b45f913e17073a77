import { expect, test } from 'vitest';

import { comeOf, notKnown, standing } from '../../src/cli/comeOf.ts';
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

test('a resume that changes nothing says in which state the consumer is', async () => {
  await using opened = await openConsumersApi();
  const active = (await opened.create()) as Consumer;
  expect(standing(active)).toEqual({
    ok: true,
    text: 'It is active already; nothing is waiting',
  });
  const lag = { entries: 806, seconds: 9, exact: false };
  expect(standing({ ...active, lag, parked: 2 })).toEqual({
    ok: true,
    text: 'It is active already; up to 806 still waiting, 2 parked',
  });
  const at = '2026-11-30T12:00:00.000Z';
  const failure = { code: 'HTTP_5XX', status: 503, detail: 'HTTP 503', at, since: at, late: null };
  const blocked = { ...active, status: 'blocked', last_failure: failure } as const;
  const words = 'There was nothing to resume: it is blocked, and retries. Answered HTTP 503';
  expect(standing(blocked)).toEqual({ ok: false, text: words });
  expect(standing({ ...blocked, next_attempt_at: at })?.text).toBe(
    `${words}; the next attempt is at ${at}`,
  );
  const fault = { code: 'filter_unreadable', detail: 'Set it anew.', since: at, next_try_at: at };
  expect(standing({ ...active, cannot_start: fault })).toEqual({
    ok: false,
    text: "There was nothing to resume. It can't send: Set it anew.",
  });
  expect(standing({ ...active, status: 'paused' })).toBeNull();
  expect(standing({ ...active, status: 'stopped' })).toBeNull();
});

import { expect, test } from 'vitest';

import type { Drain } from '../../src/delivery/drainContext.ts';
import { openDrain, type NotStarted, type OpenDrainOptions } from '../../src/delivery/openDrain.ts';
import { HOLDER, openBlockedConsumer, type BlockedConsumer } from '../support/blocked.ts';
import { until } from '../support/poll.ts';
import { accept } from '../support/receiver.ts';

/** Why the drain of an active consumer with this change is not started, and what is left behind. */
async function refused(
  change: { set?: string; cursor?: string },
  fields: Partial<OpenDrainOptions> = {},
): Promise<{ why: NotStarted; sent: number; holder: string | null }> {
  await using blocked = await openBlockedConsumer(accept);
  const { set = `status = 'active'`, cursor = 'position = position' } = change;
  await blocked.api.api.db.query(`update consumers set ${set}`);
  await blocked.api.setCursor(blocked.consumerId, cursor);
  const why = await openDrain(optionsOf(blocked, fields));
  if (!('reason' in why)) {
    await ended(why);
    throw new Error('it was started');
  }
  return { why, sent: blocked.receiver.received.length, holder: (await blocked.cursor()).holder };
}

function optionsOf(
  { consumerId, context }: BlockedConsumer,
  fields: Partial<OpenDrainOptions> = {},
): OpenDrainOptions {
  const { signal: cancelled } = new AbortController();
  const own = { consumerId, context, holder: HOLDER, leaseMs: 8_000 };
  return { ...own, nowMs: Date.now, cancelled, ...fields };
}

async function ended(drain: Drain): Promise<void> {
  drain.stop('yielded');
  await drain.ended;
}

const FAILURE = { code: 'TIMEOUT', status: null, detail: 'no answer', at: '2026-11-24T12:00:00Z' };
const failing = (failure: object) =>
  `position = 1, head = 2, attempt = 1, last_failure = '${JSON.stringify(failure)}'`;

test.each([
  { title: 'a consumer that is paused', set: `status = 'paused'` },
  { title: 'a consumer that is blocked', set: `status = 'blocked'` },
  { title: 'a consumer that a command holds', set: `status = 'active', held = true` },
  { title: 'a consumer that is deleted', set: `status = 'active', deleted_at = now()` },
])('$title is not drained, and its lease is released', async ({ set }) => {
  const why = { reason: 'changed', position: 0, failure: null };
  expect(await refused({ set })).toEqual({ why, sent: 0, holder: null });
});

test.each([
  { code: 'TIMEOUT', reason: 'blocked' },
  { code: 'GONE', reason: 'gone' },
])(
  'a verdict of the previous sender that did not reach the workflow is returned again: $code',
  async (one) => {
    const cursor = failing({ ...FAILURE, code: one.code });
    const why = { reason: one.reason, position: 1, failure: `${one.code}: no answer` };
    expect(await refused({ cursor })).toEqual({ why, sent: 0, holder: null });
  },
);

test('a drain that is cancelled before it begins yields', async () => {
  const why = { reason: 'yielded', position: 0, failure: null };
  const cancelled = AbortSignal.abort();
  expect(await refused({}, { cancelled })).toEqual({ why, sent: 0, holder: null });
});

test('a consumer that does not exist is not drained', async () => {
  const consumerId = '0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11';
  const why = { reason: 'changed', position: 0, failure: null };
  expect(await refused({}, { consumerId })).toEqual({ why, sent: 0, holder: null });
});

test('nothing is sent before the lease of the previous sender is over', async () => {
  await using blocked = await openBlockedConsumer(accept);
  await blocked.api.api.db.query(`update consumers set status = 'active'`);
  const began = performance.now();
  await blocked.context.progress.acquire(blocked.consumerId, 'frozen', 2_000);
  const drain = await openDrain(optionsOf(blocked));
  if ('reason' in drain) throw new Error(`it was not started: ${drain.reason}`);
  await until(() => blocked.receiver.received.length > 0);
  expect((blocked.receiver.received[0]?.at ?? 0) - began).toBeGreaterThan(1_995);
  await ended(drain);
});

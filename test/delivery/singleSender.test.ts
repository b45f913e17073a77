import { expect, test } from 'vitest';

import type { SenderConfig } from '../../src/delivery/senderConfig.ts';
import {
  openSingleSender,
  type SingleSender,
  type SingleSenderOptions,
} from '../../src/delivery/singleSender.ts';
import { emptyBatch } from '../../src/progress/attemptLog.ts';
import { HOLDER, openBlockedConsumer, type BlockedConsumer } from '../support/blocked.ts';
import { until } from '../support/poll.ts';
import { accept } from '../support/receiver.ts';

const always = (): number => Infinity;
const AWAY = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

async function open(
  { consumerId, context, openSingle }: BlockedConsumer,
  fields: Partial<SingleSenderOptions> = {},
): Promise<{ sender: SingleSender; config: SenderConfig }> {
  const { progress, committer } = context;
  const { bytes: memory } = context.budget;
  const { signal: cancelled } = new AbortController();
  const own = { consumerId, holder: HOLDER, progress, committer, memory, openSingle, cancelled };
  const sender = await openSingleSender({ ...own, ...fields });
  const config = await context.loadConfig(consumerId);
  if (sender === null || config === null) throw new Error('there is no such consumer');
  return { sender, config };
}

/** A store whose first commits find Postgres away. */
function awayFor(
  { progress }: BlockedConsumer['context'],
  times: number,
): { progress: typeof progress; tries: () => number } {
  let tries = 0;
  const commit: typeof progress.commit = (rows, leaseMs) => {
    tries += 1;
    return tries > times ? progress.commit(rows, leaseMs) : Promise.reject(AWAY);
  };
  return { progress: { ...progress, commit }, tries: () => tries };
}

test('there is no sender for a consumer that does not exist', async () => {
  await using blocked = await openBlockedConsumer(accept);
  const { context, openSingle } = blocked;
  const { progress, committer } = context;
  const { bytes: memory } = context.budget;
  const { signal: cancelled } = new AbortController();
  const consumerId = '0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11';
  const own = { consumerId, holder: HOLDER, progress, committer, memory, openSingle, cancelled };
  expect(await openSingleSender(own)).toBeNull();
});

test('a lease that the previous sender did not release is waited out, and that sender can store nothing more', async () => {
  await using blocked = await openBlockedConsumer(accept);
  const { progress } = blocked.context;
  const began = performance.now();
  const frozen = await progress.acquire(blocked.consumerId, 'frozen', 2_000);
  const { sender } = await open(blocked);
  expect(performance.now() - began).toBeGreaterThan(1_995); // a timer may be early by parts of a ms
  expect(sender.lease.waitMs).toBeGreaterThan(0);
  const { consumerId } = blocked;
  const nothing = { batch: emptyBatch(), attempts: [], parked: null };
  const outcomes = { consumerId, epoch: frozen?.epoch ?? 0, position: 3, ahead: [], ...nothing };
  expect(await progress.commit([outcomes], 8_000)).toEqual(new Map());
});

test('entries may settle in any order: the position follows as soon as no lower entry is open', async () => {
  await using blocked = await openBlockedConsumer(accept);
  const { sender } = await open(blocked);
  sender.settle(3);
  sender.settle(2);
  expect(sender.progress()).toEqual({ position: 0, ahead: [2, 3] });
  await sender.commit(null);
  expect(await blocked.cursor()).toMatchObject({ position: 0, ahead: [2, 3] });
  sender.settle(1);
  expect(sender.progress()).toEqual({ position: 3, ahead: [] });
});

test('a lease that the next request could outlast is renewed before that request', async () => {
  await using blocked = await openBlockedConsumer(accept);
  const { sender, config } = await open(blocked);
  const until = async (): Promise<number> => {
    const { rows } = await blocked.api.api.db.query<{ until: string }>(
      'select lease_until as until from cursors',
    );
    return Date.parse(rows[0]?.until ?? '');
  };
  const before = await until();
  expect(await sender.mayStart(config)).toBe(true);
  expect(await until()).toBe(before);
  const slow = { ...config, target: { ...config.target, timeoutMs: 24_000 } };
  expect(await sender.mayStart(slow)).toBe(true);
  expect(await until()).toBeGreaterThan(before);
});

test('the outcome of a request is stored once Postgres is back, even if the sender was cancelled meanwhile', async () => {
  await using blocked = await openBlockedConsumer(accept);
  const controller = new AbortController();
  const { progress, tries } = awayFor(blocked.context, 3);
  const { sender, config } = await open(blocked, { progress, cancelled: controller.signal });
  const tried = await sender.send(config, { position: 1, messageId: 'm', body: '{}' }, 1, always);
  expect(tried.outcome).toMatchObject({ kind: 'delivered', status: 204 });
  sender.note(config, tried, null);
  sender.settle(1);
  const storing = sender.commit(null);
  await until(() => tries() === 1);
  controller.abort();
  await storing;
  expect(tries()).toBe(4);
  expect(await blocked.cursor()).toMatchObject({ position: 1 });
  expect(await blocked.attempts()).toMatchObject([{ position: 1, outcome: 'delivered' }]);
  await sender.commit(null);
  expect(await blocked.attempts()).toHaveLength(1); // stored once
});

test('an outcome that cannot be stored when the process has to end is given up, and its consumer is named', async () => {
  await using blocked = await openBlockedConsumer(accept);
  const committer = { endsAt: performance.now(), unstored: new Set<string>() };
  const { progress } = awayFor(blocked.context, Infinity);
  const { sender } = await open(blocked, { progress, committer });
  sender.settle(1);
  await expect(sender.commit(null)).rejects.toBe(AWAY);
  expect([...committer.unstored]).toEqual([blocked.consumerId]);
});

test('an outcome that Postgres refuses is thrown as an error, and not counted as given up', async () => {
  await using blocked = await openBlockedConsumer(accept);
  const committer = { endsAt: performance.now(), unstored: new Set<string>() };
  const wrong = Object.assign(new Error('value out of range'), { code: '22003' });
  const progress = { ...blocked.context.progress, commit: () => Promise.reject(wrong) };
  const { sender } = await open(blocked, { progress, committer });
  await expect(sender.commit(null)).rejects.toBe(wrong);
  expect([...committer.unstored]).toEqual([]);
});

test('a release stores which target was tried, and when its rate limit allows the next request', async () => {
  await using blocked = await openBlockedConsumer(accept);
  const { api, consumerId } = blocked;
  await api.api.request('PATCH', `/v1/targets/${api.targetId}`, { rate_limit: 1 });
  const { sender, config } = await open(blocked);
  expect(await sender.mayStart(config)).toBe(true);
  expect(sender.paceMs()).toBe(0);
  await sender.send(config, { position: 1, messageId: 'm', body: '{}' }, 1, always);
  await sender.release('keep', config);
  const { rows } = await api.api.db.query(
    'select holder, tried_target, tried_target_id, paced_until is not null as paced from cursors',
  );
  expect(rows).toEqual([
    {
      holder: null,
      tried_target: config.target.version,
      tried_target_id: config.target.id,
      paced: true,
    },
  ]);
  const next = await blocked.context.progress.acquire(consumerId, 'next', 1_000);
  expect(next?.waitMs).toBe(0);
});

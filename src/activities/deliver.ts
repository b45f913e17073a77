import { setTimeout as sleep } from 'node:timers/promises';

import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';

import { isDatabaseAway } from '../db.ts';
import type { Shared } from '../shared.ts';
import { SEND_WITHIN_MS } from '../confirmation.ts';
import { findHead } from '../head.ts';
import type { Outcome } from '../outcome.ts';
import type { Entry } from '../pages.ts';
import { emptyBatch, failedAttempt, toAttempt, type Made } from '../outcomes.ts';
import type { Lease, Outcomes, Release } from '../progress.ts';
import { nextDelayMs, parseRetryAfter } from '../retry.ts';
import type { Run } from '../run.ts';
import type { Message, Sender } from '../sender.ts';
import type { Delivered, DeliverFailure, Of } from './contract.ts';

/** The longest request (15 s) and 10 s for what surrounds it: the lease is not renewed. */
const LEASE_MS = 25_000;

export interface DeliverDeps {
  shared: Shared;
  holder: string;
  openSingle: (
    run: Run,
    ended: (message: Message, outcome: Outcome, at: number, ms: number) => void,
  ) => Sender<Message>;
}

interface Tried {
  entry: Entry;
  attempt: number;
  outcome: Outcome;
  startedAt: number;
  durationMs: number;
}

/**
 * One attempt at the head of a blocked consumer; Temporal's retry policy, steered by
 * `nextRetryDelay`, makes the next one. The only sender while the consumer is blocked. Throws an
 * `ApplicationFailure` when the attempt failed; its details say whether it was the window's last.
 */
export async function deliver(
  deps: DeliverDeps,
  input: Of & { last: boolean },
): Promise<Delivered> {
  const context = Context.current();
  context.heartbeat();
  const beat = setInterval(() => context.heartbeat(), 4_000);
  try {
    return await attemptHead(deps, input);
  } catch (error) {
    if (error instanceof ApplicationFailure || input.last) throw error;
    // Our own trouble must not run up the endpoint's backoff.
    throw ApplicationFailure.create({
      type: isDatabaseAway(error) ? 'DATABASE_UNAVAILABLE' : 'INTERNAL',
      message: error instanceof Error ? error.message : 'the attempt could not be made',
      nextRetryDelay: '2s',
    });
  } finally {
    clearInterval(beat);
  }
}

async function attemptHead(
  deps: DeliverDeps,
  { consumerId, last }: Of & { last: boolean },
): Promise<Delivered> {
  const { progress, pages, loadRun } = deps.shared;
  const began = performance.now();
  const lease = await progress.acquire(consumerId, deps.holder, LEASE_MS);
  if (lease === null) return { outcome: 'changed', position: 0 };
  if (lease.waitMs > 0) {
    await sleep(lease.waitMs);
    const renewed = await progress.commit(
      [outcomesOf(consumerId, lease, lease.position)],
      LEASE_MS,
    );
    if (!renewed.has(consumerId)) throw new Error('another sender has taken the cursor');
  }
  for (;;) {
    const lookedAt = performance.now();
    const run = await loadRun(consumerId);
    if (run === null || run.deleted || run.status !== 'blocked') {
      await progress.release({ consumerId, epoch: lease.epoch, idle: false, head: 'keep' });
      return { outcome: 'changed', position: lease.position };
    }
    const { stream, filters } = run;
    const { entry, scannedTo } = await findHead({ pages, stream, filters, ...lease });
    if (entry === null) {
      await settle(deps, outcomesOf(consumerId, lease, scannedTo), null);
      return { outcome: 'clear', position: scannedTo };
    }
    const attempt = await attemptNumber(deps, consumerId, lease, entry);
    // Whoever pauses the consumer counts on no request starting later than this after the look.
    if (performance.now() - lookedAt > SEND_WITHIN_MS) continue;
    const tried = await trySend(deps, run, entry, attempt);
    return await record(deps, {
      consumerId,
      lease,
      run,
      tried,
      last,
      tookMs: performance.now() - began,
    });
  }
}

async function attemptNumber(
  deps: DeliverDeps,
  consumerId: string,
  lease: Lease,
  entry: Entry,
): Promise<number> {
  if (lease.head === entry.position) return lease.attempt + 1;
  const before = await deps.shared.progress.failedAttempts(consumerId, lease.position);
  return (before.get(entry.position) ?? 0) + 1;
}

async function trySend(deps: DeliverDeps, run: Run, entry: Entry, attempt: number): Promise<Tried> {
  const { promise, resolve } = Promise.withResolvers<Tried>();
  const sender = deps.openSingle(run, (_message, outcome, startedAt, durationMs) => {
    resolve({ entry, attempt, outcome, startedAt, durationMs });
  });
  const sweep = setInterval(() => sender.sweep(performance.now()), 25);
  try {
    sender.send(entry, attempt);
    return await promise;
  } finally {
    clearInterval(sweep);
    await sender.close();
  }
}

interface Recording {
  consumerId: string;
  lease: Lease;
  run: Run;
  tried: Tried;
  last: boolean;
  /** Since the activity's attempt began. */
  tookMs: number;
}

async function record(deps: DeliverDeps, recording: Recording): Promise<Delivered> {
  const { consumerId, lease, run, tried, last } = recording;
  const { entry, outcome } = tried;
  if (outcome.kind === 'ours') {
    await deps.shared.progress.release({
      consumerId,
      epoch: lease.epoch,
      idle: false,
      head: 'keep',
    });
    throw new Error(`a fault of this machine: ${outcome.detail}`);
  }
  if (outcome.kind === 'delivered') {
    const outcomes = outcomesOf(consumerId, lease, entry.position);
    const delivered = { ...toAttempt(run.stream, toMade(tried)), status: outcome.status };
    outcomes.attempts.push({ ...delivered, outcome: 'delivered' });
    await settle(deps, outcomes, null);
    return { outcome: 'delivered', position: entry.position };
  }
  const { nowMs, remainingMs, windowMs } = clock(deps.shared.retryWindowMs, recording.tookMs);
  const delay = last
    ? null
    : nextDelayMs({
        attempt: tried.attempt,
        remainingMs,
        windowMs,
        retryAfterMs: parseRetryAfter(outcome.retryAfter, Date.now()),
        random: Math.random(),
      });
  const nextAttemptAt = delay === null ? null : nowMs + delay;
  const outcomes = outcomesOf(consumerId, lease, lease.position);
  outcomes.attempts.push(failedAttempt(run.stream, toMade(tried), outcome, nextAttemptAt));
  const { code, status, detail } = outcome;
  const failure = { code, status, detail, at: new Date(nowMs).toISOString() };
  await settle(deps, outcomes, {
    position: entry.position,
    attempt: tried.attempt,
    nextAttemptAt,
    failure,
  });
  throw ApplicationFailure.create({
    type: code,
    message: `${new URL(run.target.baseUrl).host}: ${detail} (attempt ${tried.attempt} at position ${entry.position})`,
    category: 'BENIGN',
    details: [{ final: delay === null } satisfies DeliverFailure],
    nonRetryable: delay === null,
    ...(delay === null ? {} : { nextRetryDelay: Math.max(1, Math.round(delay)) }),
  });
}

/** Stores the outcome and lets go; while Postgres is away it is kept and tried again. */
async function settle(deps: DeliverDeps, outcomes: Outcomes, head: Release['head']): Promise<void> {
  const { progress } = deps.shared;
  const { consumerId, epoch } = outcomes;
  for (;;) {
    try {
      await progress.commit([outcomes], LEASE_MS);
      await progress.release({ consumerId, epoch, idle: false, head });
      return;
    } catch (error) {
      if (!isDatabaseAway(error) || Context.current().cancellationSignal.aborted) throw error;
      await sleep(500);
    }
  }
}

function outcomesOf(consumerId: string, lease: Lease, position: number): Outcomes {
  return {
    consumerId,
    epoch: lease.epoch,
    position,
    ahead: lease.ahead.filter((settled) => settled > position),
    batch: emptyBatch(),
    attempts: [],
  };
}

function toMade({ entry, attempt, startedAt, durationMs }: Tried): Made {
  return { position: entry.position, messageId: entry.messageId, attempt, startedAt, durationMs };
}

/** Time as Temporal counts it: its own timestamps follow time skipping, the wall clock does not. */
function clock(
  windowMs: number,
  tookMs: number,
): { nowMs: number; remainingMs: number; windowMs: number } {
  const { info } = Context.current();
  const elapsed = info.currentAttemptScheduledTimestampMs - info.scheduledTimestampMs + tookMs;
  return {
    nowMs: info.currentAttemptScheduledTimestampMs + tookMs,
    remainingMs: (info.scheduleToCloseTimeoutMs ?? windowMs) - elapsed,
    windowMs,
  };
}

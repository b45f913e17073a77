import { setTimeout as sleep } from 'node:timers/promises';

import { Context } from '@temporalio/activity';

import { startDrain } from '../delivery/drain.ts';
import type { Drain, DrainContext } from '../delivery/drainContext.ts';
import type { Lease } from '../progress/lease.ts';
import { temporalClock } from './clock.ts';
import type { Drained, Of } from './contract.ts';

export interface DrainDeps {
  context: DrainContext;
  leaseMs: number;
  /** Names this process in the cursor. */
  holder: string;
  /** Keeps the drain ticking, and may ask it to end when slots run short. */
  register: (delivery: Drain) => () => void;
}

/**
 * Each beat is a write of Temporal's, so they are few, and none at the start of what may be short.
 * Two fit into the heartbeat timeout, so one may be lost.
 */
const BEAT_MS = 6_000;

/**
 * Delivers a consumer's entries until it is idle, blocked, changed or asked to yield. The only
 * sender while it runs: it takes the next epoch and waits out an unreleased lease first.
 */
export async function drain(deps: DrainDeps, { consumerId }: Of): Promise<Drained> {
  const { context } = deps;
  const activity = Context.current();
  const beat = setInterval(() => activity.heartbeat(), BEAT_MS);
  try {
    const acquiredAt = performance.now();
    const lease = await context.progress.acquire(consumerId, deps.holder, deps.leaseMs);
    if (lease === null) return { reason: 'changed', position: 0, failure: null, parkedDueAt: null };
    await waitOut(lease, activity.cancellationSignal);
    if (activity.cancellationSignal.aborted) return await letGo(deps, consumerId, lease, 'yielded');
    const config = await context.loadConfig(consumerId);
    if (config === null || config.deleted || config.held || config.status !== 'active') {
      return await letGo(deps, consumerId, lease, 'changed');
    }
    // Its predecessor's verdict did not reach the workflow: a success has not come since.
    if (lease.head !== null && lease.lastFailure !== null) {
      const { code, detail } = lease.lastFailure;
      const reason = code === 'GONE' ? 'gone' : 'blocked';
      return { ...(await letGo(deps, consumerId, lease, reason)), failure: `${code}: ${detail}` };
    }
    const failedAttempts = await context.progress.failedAttempts(consumerId, lease.position);
    const parkedRows =
      lease.parked || config.parkedVersion > 0 ? await context.parked.rows(consumerId) : [];
    const delivery = startDrain({
      shared: context,
      config,
      lease,
      leaseUntil: acquiredAt + deps.leaseMs,
      failedAttempts,
      parkedRows,
      nowMs: temporalClock(activity.info.currentAttemptScheduledTimestampMs),
    });
    const unregister = deps.register(delivery);
    const yielding = (): void => delivery.stop('yielded');
    activity.cancellationSignal.addEventListener('abort', yielding);
    if (activity.cancellationSignal.aborted) yielding();
    try {
      const { reason, position, head, parkedDueAt } = await delivery.ended;
      const failure = head === null ? null : `${head.outcome.code}: ${head.outcome.detail}`;
      const dueAt = parkedDueAt === null ? null : new Date(parkedDueAt).toISOString();
      return { reason, position, failure, parkedDueAt: dueAt };
    } finally {
      activity.cancellationSignal.removeEventListener('abort', yielding);
      unregister();
    }
  } finally {
    clearInterval(beat);
  }
}

/** The predecessor may still be sending until its lease is over. */
async function waitOut(lease: Lease, signal: AbortSignal): Promise<void> {
  if (lease.waitMs === 0) return;
  await sleep(lease.waitMs, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error; // cancelled: the caller lets go
  });
}

async function letGo(
  deps: DrainDeps,
  consumerId: string,
  lease: Lease,
  reason: 'changed' | 'yielded' | 'blocked' | 'gone',
): Promise<Drained> {
  const { epoch, position } = lease;
  await deps.context.progress.release({ consumerId, epoch, idle: false, head: 'keep' });
  return { reason, position, failure: null, parkedDueAt: null };
}

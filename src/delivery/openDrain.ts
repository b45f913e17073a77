import { setTimeout as sleep } from 'node:timers/promises';

import type { Lease } from '../progress/lease.ts';
import { isOwnRetry } from '../rules/headPlan.ts';
import { isOfEndpoint } from '../rules/outcome.ts';
import { startDrain } from './drain.ts';
import type { Drain, DrainContext } from './drainContext.ts';

/** What is needed to start a drain. */
export interface OpenDrainOptions {
  consumerId: string;
  context: DrainContext;
  /** Names this process in the cursor. */
  holder: string;
  leaseMs: number;
  /** Unix ms as Temporal counts them, which follows time skipping. */
  nowMs: () => number;
  /** Once it is aborted, no drain is started. */
  cancelled: AbortSignal;
  /** Called with the cursor as it was when it was taken. */
  leased?: (lease: Lease) => void;
}

/** The reason why no drain was started. The lease has been released, and the cursor is as it was. */
export interface NotStarted {
  reason: 'changed' | 'yielded' | 'blocked' | 'gone';
  position: number;
  /** A sentence about the failing head for `blocked` and `gone`; otherwise null. */
  failure: string | null;
}

/**
 * Takes the consumer's cursor, waits out a lease that the previous sender did not release, and starts the
 * drain. Returns the reason instead when the consumer is not to be drained. When this rejects, the lease has
 * been released, unless Postgres is away; the cursor is as it was.
 */
export async function openDrain(options: OpenDrainOptions): Promise<Drain | NotStarted> {
  const { consumerId, context, leaseMs } = options;
  const { progress } = context;
  const leaseUntil = performance.now() + leaseMs;
  const lease = await progress.acquire(consumerId, options.holder, leaseMs);
  if (lease === null) return { reason: 'changed', position: 0, failure: null };
  options.leased?.(lease);
  try {
    return await openLeased(options, lease, leaseUntil);
  } catch (error) {
    const { epoch } = lease;
    // If this fails as well, the next sender waits until the lease is over.
    await progress.release({ consumerId, epoch, idle: false, head: 'keep' }).catch(() => undefined);
    throw error;
  }
}

async function openLeased(
  options: OpenDrainOptions,
  lease: Lease,
  leaseUntil: number,
): Promise<Drain | NotStarted> {
  const { consumerId, context, cancelled, nowMs } = options;
  const { progress } = context;
  const { epoch, position, lastFailure } = lease;

  async function refuse(
    reason: NotStarted['reason'],
    failure: string | null = null,
  ): Promise<NotStarted> {
    await progress.release({ consumerId, epoch, idle: false, head: 'keep' });
    return { reason, position, failure };
  }

  await waitOut(lease, cancelled);
  if (cancelled.aborted) return refuse('yielded');
  const config = await context.loadConfig(consumerId);
  if (config === null || config.deleted || config.held || config.status !== 'active') {
    return refuse('changed');
  }
  // The verdict of the previous sender did not reach the workflow, and there has been no success since.
  if (lease.head !== null && lastFailure !== null && !goesOn(lease, context.ownRetriesMs)) {
    const { code, detail } = lastFailure;
    return refuse(code === 'GONE' ? 'gone' : 'blocked', `${code}: ${detail}`);
  }
  const failedAttempts = await progress.failedAttempts(consumerId, position);
  const hasParked = lease.parked || config.parkedVersion > 0;
  const parkedRows = hasParked ? await context.parked.heads(consumerId) : [];
  return startDrain({
    context,
    config,
    lease,
    leaseUntil,
    failedAttempts,
    parkedRows,
    nowMs,
  });
}

/**
 * Whether a drain makes the next attempt at the head that was left to it: no message could have caused its
 * failure.
 */
function goesOn(lease: Lease, ownMs: number): boolean {
  const { lastFailure } = lease;
  return isOwnRetry(lease, ownMs) && lastFailure !== null && isOfEndpoint(lastFailure);
}

/** Waits until the previous sender's lease is over, because that sender may still be sending until then. */
async function waitOut(lease: Lease, cancelled: AbortSignal): Promise<void> {
  if (lease.waitMs === 0) return;
  await sleep(lease.waitMs, undefined, { signal: cancelled }).catch((error: unknown) => {
    if (!cancelled.aborted) throw error; // cancelled: the caller releases the lease
  });
}

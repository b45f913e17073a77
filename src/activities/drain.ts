import { Context } from '@temporalio/activity';

import type { Drain, DrainContext } from '../delivery/drainContext.ts';
import { openDrain } from '../delivery/openDrain.ts';
import type { Lease } from '../progress/lease.ts';
import { cannotSend, sendsAgain, type CannotSendDeps } from './cannotSend.ts';
import { temporalClock } from './clock.ts';
import type { Drained, DrainInput } from './contract.ts';

export interface DrainDeps extends Omit<CannotSendDeps, 'log'> {
  context: DrainContext;
  leaseMs: number;
  /** Names this process in the cursor. */
  holder: string;
  /**
   * Registers a drain to be ticked, and to be ended as idle when slots run short; returns the function that
   * unregisters it.
   */
  register: (delivery: Drain) => () => void;
}

/**
 * Each beat makes Temporal write, so beats are few, and there is none at the start, as a drain may be
 * short. Two beats fit into the heartbeat timeout of 15 s, so that one may be lost.
 */
const BEAT_MS = 6_000;
/** After so long without ending, a drain counts as working even if the one before it has crashed. */
const WORKS_AFTER_MS = 60_000;

/**
 * Delivers a consumer's entries until the drain ends. It is the consumer's only sender while it runs: it takes
 * the next epoch, and first waits out a lease that was not released. A lasting fault that is not the endpoint's
 * is noted, and returned as the result; this rejects only for errors that will pass by themselves.
 */
export async function drain(deps: DrainDeps, input: DrainInput): Promise<Drained> {
  const { context, holder, leaseMs } = deps;
  const { consumerId } = input;
  const activity = Context.current();
  const cancelled = activity.cancellationSignal;
  const nowMs = temporalClock(activity.info, context.now);
  const beat = setInterval(() => activity.heartbeat(), BEAT_MS);
  let lease: Lease | null = null;
  let isCrash = false;
  const leased = (taken: Lease): void => {
    lease = taken;
  };
  try {
    const opened = await openDrain({
      consumerId,
      context,
      holder,
      leaseMs,
      nowMs,
      cancelled,
      leased,
    });
    if ('reason' in opened) return { ...opened, parkedDueAt: null };
    isCrash = true;
    return await untilEnded(deps, opened, { consumerId, lease, cancelled });
  } catch (error) {
    const noted = await cannotSend({ ...deps, log: context.log }, input, { error, lease, isCrash });
    const place = { position: positionOf(lease), parkedDueAt: null };
    if (noted === null) return { reason: 'changed', failure: null, ...place };
    return { reason: 'unstartable', failure: noted.cannotStart, ...place, ...noted };
  } finally {
    clearInterval(beat);
  }
}

function positionOf(lease: Lease | null): number {
  return lease?.position ?? 0;
}

interface Running {
  consumerId: string;
  lease: Lease | null;
  cancelled: AbortSignal;
}

/** Keeps a drain running until it ends by itself or, when the activity is cancelled, yields. */
async function untilEnded(
  deps: DrainDeps,
  running: Drain,
  { consumerId, lease, cancelled }: Running,
): Promise<Drained> {
  const unregister = deps.register(running);
  const yielding = (): void => running.stop('yielded');
  cancelled.addEventListener('abort', yielding);
  if (cancelled.aborted) yielding();
  const works = workingAgain(deps, consumerId, lease);
  try {
    const { reason, position, head, parkedDueAt, fault } = await running.ended;
    if (fault !== undefined) throw fault;
    await works.now();
    const failure = head === null ? null : `${head.failure.code}: ${head.failure.detail}`;
    const dueAt = parkedDueAt === null ? null : new Date(parkedDueAt).toISOString();
    return { reason, position, failure, parkedDueAt: dueAt };
  } finally {
    works.stop();
    cancelled.removeEventListener('abort', yielding);
    unregister();
  }
}

/**
 * Notes that a consumer works again: once the drain runs, if the one before it could not start; if that one
 * crashed, only when this drain has ended without a fault or has run for a while.
 */
function workingAgain(
  deps: DrainDeps,
  consumerId: string,
  lease: Lease | null,
): { now(): Promise<void>; stop(): void } {
  const { log } = deps.context;
  let noted = lease === null || lease.faulted === null;

  async function now(): Promise<void> {
    if (noted) return;
    noted = true;
    noted = await sendsAgain({ ...deps, log }, consumerId, lease);
  }

  const waitMs = lease?.faulted === 'crashed' ? WORKS_AFTER_MS : 0;
  const timer = noted ? undefined : setTimeout(() => void now(), waitMs);
  return { now, stop: () => clearTimeout(timer) };
}

import { Context } from '@temporalio/activity';

import type { Drain, DrainContext } from '../delivery/drainContext.ts';
import { openDrain } from '../delivery/openDrain.ts';
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
  const { context, holder, leaseMs } = deps;
  const activity = Context.current();
  const cancelled = activity.cancellationSignal;
  const nowMs = temporalClock(activity.info.currentAttemptScheduledTimestampMs);
  const beat = setInterval(() => activity.heartbeat(), BEAT_MS);
  try {
    const opened = await openDrain({ consumerId, context, holder, leaseMs, nowMs, cancelled });
    if ('reason' in opened) return { ...opened, parkedDueAt: null };
    return await untilEnded(deps, opened, cancelled);
  } finally {
    clearInterval(beat);
  }
}

/** Keeps a drain running until it ends by itself or, when the activity is cancelled, yields. */
async function untilEnded(
  deps: DrainDeps,
  running: Drain,
  cancelled: AbortSignal,
): Promise<Drained> {
  const unregister = deps.register(running);
  const yielding = (): void => running.stop('yielded');
  cancelled.addEventListener('abort', yielding);
  if (cancelled.aborted) yielding();
  try {
    const { reason, position, head, parkedDueAt } = await running.ended;
    const failure = head === null ? null : `${head.outcome.code}: ${head.outcome.detail}`;
    const dueAt = parkedDueAt === null ? null : new Date(parkedDueAt).toISOString();
    return { reason, position, failure, parkedDueAt: dueAt };
  } finally {
    cancelled.removeEventListener('abort', yielding);
    unregister();
  }
}

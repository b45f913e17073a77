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
  /** Has the drain tick, and end as idle when slots run short; returns the function that unregisters it. */
  register: (delivery: Drain) => () => void;
}

/**
 * Each beat makes Temporal write, so beats are few, and there is none at the start, as a drain may be
 * short. Two beats fit into the heartbeat timeout of 15 s, so that one may be lost.
 */
const BEAT_MS = 6_000;

/**
 * Delivers a consumer's entries until the drain ends. It is the consumer's only sender while it runs:
 * it takes the next epoch, and first waits out a lease that was not released.
 */
export async function drain(deps: DrainDeps, { consumerId }: Of): Promise<Drained> {
  const { context, holder, leaseMs } = deps;
  const activity = Context.current();
  const cancelled = activity.cancellationSignal;
  const nowMs = temporalClock(activity.info, context.now);
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

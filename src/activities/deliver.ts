import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';

import { SEND_WITHIN_MS } from '../consumers/untilInForce.ts';
import { mayBeRepeated } from '../db/errors.ts';
import type { FailedHead } from '../delivery/attemptScene.ts';
import { attemptHead, type HeadAttempt } from '../delivery/headAttempt.ts';
import type { Lease } from '../progress/lease.ts';
import { cannotSend, sendsAgain, type CannotSendDeps } from './cannotSend.ts';
import { attemptClock } from './clock.ts';
import type { Delivered, DeliverFailure, DeliverInput, HeadReport } from './contract.ts';

export interface DeliverDeps
  extends
    Pick<HeadAttempt, 'context' | 'holder' | 'openSingle' | 'lateAnswers'>,
    Omit<CannotSendDeps, 'log'> {
  /** Reports to the consumer's workflow how an attempt ended, for people who look at its page. */
  reportHead: (consumerId: string, failing: HeadReport) => Promise<void>;
}

/** Several beats fit into the heartbeat timeout of 20 s, so that one may be lost. */
const BEAT_MS = 4_000;

/**
 * Makes one attempt at the head of a blocked consumer; Temporal's retry policy, steered by
 * `nextRetryDelay`, makes the next one. Throws an `ApplicationFailure` when the endpoint failed; its
 * details say whether it was the window's last attempt.
 */
export async function deliver(deps: DeliverDeps, input: DeliverInput): Promise<Delivered> {
  const activity = Context.current();
  activity.heartbeat();
  const beat = setInterval(() => activity.heartbeat(), BEAT_MS);
  try {
    const result = await attemptNoted(deps, input, activity).catch((error: unknown) => {
      throw input.last || error instanceof ApplicationFailure ? error : ownTrouble(error);
    });
    if (result.outcome !== 'failed') return result;
    await report(deps, input.consumerId, result);
    throw endpointFailure(result);
  } finally {
    clearInterval(beat);
  }
}

/** Makes an attempt. A lasting fault that is not the endpoint's is noted, and returned as the result. */
async function attemptNoted(
  deps: DeliverDeps,
  input: DeliverInput,
  activity: Context,
): Promise<Delivered | FailedHead> {
  const { consumerId } = input;
  const noting = { ...deps, log: deps.context.log };
  let lease: Lease | null = null;
  const leased = (taken: Lease): void => {
    lease = taken;
  };
  try {
    const result = await attempt(deps, input, activity, leased);
    if (result.outcome !== 'changed') await sendsAgain(noting, consumerId, lease);
    return result;
  } catch (error) {
    const noted = await cannotSend(noting, input, { error, lease, isCrash: false });
    return { outcome: noted === null ? 'changed' : 'unstartable', position: 0, ...noted };
  }
}

function attempt(
  deps: DeliverDeps,
  input: DeliverInput,
  { info, cancellationSignal }: Context,
  leased: (lease: Lease) => void,
) {
  const { context, holder, openSingle, lateAnswers } = deps;
  const { consumerId, last: isLast, windowMs } = input;
  const clock = attemptClock(info, context.retryWindowMs, context.now);
  const isFirst = info.attempt === 1;
  const schedule = { ...clock, cancelled: cancellationSignal, isFirst, isLast };
  const sendWithinMs = SEND_WITHIN_MS;
  const process = { context, holder, openSingle, lateAnswers };
  return attemptHead({ ...process, consumerId, sendWithinMs, schedule, leased, windowMs });
}

/** Reports a failed attempt for the Temporal UI. If that fails, the consumer's row still shows the attempt. */
async function report(deps: DeliverDeps, consumerId: string, head: FailedHead): Promise<void> {
  const { attempt: attempts, failure: lastFailure } = head;
  const nextAttemptAt =
    head.nextAttemptAt === null ? null : new Date(head.nextAttemptAt).toISOString();
  try {
    await deps.reportHead(consumerId, { attempt: attempts, nextAttemptAt, lastFailure });
  } catch (error) {
    deps.context.log.warn(
      { err: error, consumer_id: consumerId },
      'a failed attempt could not be reported to the workflow',
    );
  }
}

function endpointFailure(head: FailedHead): ApplicationFailure {
  const { host, position, failure, delayMs } = head;
  return ApplicationFailure.create({
    type: failure.code,
    message: `${host}: ${failure.detail} (attempt ${head.attempt} at position ${position})`,
    category: 'BENIGN',
    details: [{ final: delayMs === null } satisfies DeliverFailure],
    nonRetryable: delayMs === null,
    ...(delayMs === null ? {} : { nextRetryDelay: Math.max(1, Math.round(delayMs)) }),
  });
}

/** The failure for faults of Millrace itself, which must not lengthen the endpoint's backoff. */
function ownTrouble(error: unknown): ApplicationFailure {
  return ApplicationFailure.create({
    type: mayBeRepeated(error) ? 'DATABASE_UNAVAILABLE' : 'INTERNAL',
    message: error instanceof Error ? error.message : 'the attempt could not be made',
    nextRetryDelay: '2s',
  });
}

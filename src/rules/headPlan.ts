import type { Failed, Failure } from './outcome.ts';
import { nextDelayMs, parseRetryAfter, type RetryRequest } from './retry.ts';

/** When a failing head is tried again. */
export interface HeadPlan {
  /** Ms from now; null: this was the last attempt of the window. */
  delayMs: number | null;
  /** The same as unix ms. */
  nextAttemptAt: number | null;
  /** The same where the endpoint asked to wait; null: it did not. */
  askedUntil: number | null;
}

/** The plan when no attempt follows: the window is over, or the endpoint is gone. */
export const NO_NEXT_ATTEMPT: HeadPlan = { delayMs: null, nextAttemptAt: null, askedUntil: null };

export interface HeadPlanRequest extends Omit<RetryRequest, 'retryAfterMs'> {
  /** Unix ms, on the clock by which the plan is made. */
  nowMs: number;
  /** The wait that the endpoint asked for, ms from now, from `longestRetryAfter`. */
  askedMs: number | null;
}

/** Plans the next attempt of a failing head: by the table, or by the wait that the endpoint asked for. */
export function planHead({ nowMs, askedMs, ...request }: HeadPlanRequest): HeadPlan {
  const delayMs = nextDelayMs({ ...request, retryAfterMs: askedMs });
  if (delayMs === null) return NO_NEXT_ATTEMPT;
  const nextAttemptAt = nowMs + delayMs;
  return { delayMs, nextAttemptAt, askedUntil: askedMs === null ? null : nextAttemptAt };
}

/**
 * A sender makes the retries of a failing head itself for this part of the retry window: for one minute of 24
 * hours.
 */
export function ownRetriesMs(windowMs: number): number {
  return windowMs / 1_440;
}

/**
 * A lane of visits does so for this part of it: 36 minutes of 24 hours, of which the last attempt is the one
 * about 21 minutes after the first failure. It costs a lane next to nothing, while each consumer that is handed
 * over costs Temporal some twenty events; the stretch of the schedule then spreads these over minutes. A
 * warning is due later, after a 24th of the window.
 */
export function visitRetriesMs(windowMs: number): number {
  return windowMs / 40;
}

/**
 * Whether the next attempt of a head is one that its sender makes itself, which it does for `ownMs` after the
 * first failure.
 */
export function isOwnRetry(
  head: { nextAttemptAt: number | null; scheduleFrom: number | null },
  ownMs: number,
): boolean {
  const { nextAttemptAt, scheduleFrom } = head;
  return nextAttemptAt !== null && scheduleFrom !== null && nextAttemptAt - scheduleFrom <= ownMs;
}

/**
 * The longest Retry-After of several failures, in ms from `nowMs`; null when none has one. It holds
 * for the whole consumer, whichever entry was answered with it.
 */
export function longestRetryAfter(
  failures: Iterable<Pick<Failed, 'retryAfter'>>,
  nowMs: number,
): number | null {
  let longest: number | null = null;
  for (const { retryAfter } of failures) {
    const asked = parseRetryAfter(retryAfter, nowMs);
    if (asked !== null) longest = Math.max(longest ?? 0, asked);
  }
  return longest;
}

/** What is stored of a head's failure and shown to people; `atMs` is unix ms. */
export function storedFailure({ code, status, detail }: Failed, atMs: number): Failure {
  return { code, status, detail, at: new Date(atMs).toISOString() };
}

import type { ConsumerSnapshot } from '../consumers/consumerSnapshot.ts';
import { lastAttemptMarginMs } from '../rules/retry.ts';

/**
 * Milliseconds until a warning about a failing endpoint is due, which is a 24th of the retry window
 * after its first failure; Infinity when there is nothing to warn of.
 */
export function untilWarning(snapshot: ConsumerSnapshot, windowMs: number, nowMs: number): number {
  const { status, failingSince, warned } = snapshot;
  if (status !== 'blocked' || failingSince === null || warned) return Infinity;
  return Date.parse(failingSince) + windowMs / 24 - nowMs;
}

/** Milliseconds until the next parked entry of an idle consumer is due; Infinity when none is parked. */
export function untilParked(snapshot: ConsumerSnapshot, nowMs: number): number {
  const { status, idle, parkedDueAt } = snapshot;
  if (status !== 'active' || !idle || parkedDueAt === null) return Infinity;
  return Date.parse(parkedDueAt) - nowMs;
}

/**
 * Milliseconds until a drain is due that was not due immediately: when the next parked entry is due or, after a
 * fault that kept the consumer from sending, not before `notBefore` (unix ms; null: there was none). `wants`:
 * whether an entry waits to be sent already.
 */
export function untilDrain(
  snapshot: ConsumerSnapshot,
  { wants, notBefore }: { wants: boolean; notBefore: number | null },
  nowMs: number,
): number {
  const parkedMs = untilParked(snapshot, nowMs);
  if (notBefore === null) return parkedMs;
  return wants ? notBefore - nowMs : Math.max(parkedMs, notBefore - nowMs);
}

/**
 * Milliseconds until the next attempt of a blocked consumer, which is not made before `notBefore`
 * (Unix ms); Infinity when the consumer is not blocked.
 */
export function untilNextAttempt(
  snapshot: ConsumerSnapshot,
  notBefore: number,
  nowMs: number,
): number {
  const { status, nextAttemptAt } = snapshot;
  if (status !== 'blocked') return Infinity;
  return Math.max(nextAttemptAt === null ? 0 : Date.parse(nextAttemptAt), notBefore) - nowMs;
}

/** Milliseconds left of the retry window: all of it before the first failure, negative once it is over. */
export function remainingMs(snapshot: ConsumerSnapshot, windowMs: number, nowMs: number): number {
  const { failingSince } = snapshot;
  return failingSince === null ? windowMs : windowMs - (nowMs - Date.parse(failingSince));
}

/**
 * Whether an attempt that starts with `leftMs` of the retry window left is the last one. A window that
 * ended without an attempt, because Millrace itself was down, still gets one attempt, which decides.
 */
export function isLastAttempt(leftMs: number, windowMs: number): boolean {
  return leftMs <= lastAttemptMarginMs(windowMs);
}

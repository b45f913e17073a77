import type { FailureVerdict } from '../failure/failureHandler.ts';
import type { FailingHead } from '../progress/attemptLog.ts';

export type EndReason =
  | 'idle'
  | 'blocked'
  | 'changed'
  | 'yielded'
  | 'fenced'
  /** The endpoint answered 410. */
  | 'gone'
  /** Too many entries are parked. */
  | 'parked';

export interface DrainEnd {
  reason: EndReason;
  position: number;
  /** When blocked or gone. */
  head: FailingHead | null;
  /** When the next parked entry is due, unix ms; null: none is parked. */
  parkedDueAt: number | null;
}

/**
 * Why a drain ends, by a verdict that comes while it may be ending already: what the endpoint says
 * counts also where sending ends for another reason, and 410 above all.
 */
export function endsBy(verdict: FailureVerdict, stopping: EndReason | null): EndReason | null {
  if (verdict === 'goes on' || stopping === 'fenced') return stopping;
  const decided = stopping === 'blocked' || stopping === 'parked' || stopping === 'gone';
  return decided && verdict !== 'gone' ? stopping : verdict;
}

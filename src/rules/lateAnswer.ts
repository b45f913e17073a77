import type { Failed, Failure, LateAnswer, StoredLate } from './outcome.ts';

const MOST_MS = 60_000;

/** How long after its deadline the answer to a request is still awaited at most, ms: twice the deadline. */
export function lateWaitMs(timeoutMs: number): number {
  return Math.min(2 * timeoutMs, MOST_MS);
}

/** Names a version of a target, because a late answer of another version says nothing about this one. */
export function targetVersionOf({ id, version }: { id: string; version: number }): string {
  return `${id}/${version}`;
}

/**
 * The late answer that an earlier failure has noted, if it still holds for this failure: a timeout as well, at
 * the same version of the target.
 */
export function knownLate(
  earlier: Failure | null,
  failed: Pick<Failed, 'code' | 'status'>,
  target: string,
): StoredLate | null {
  if (failed.code !== 'TIMEOUT' || failed.status !== null) return null;
  return earlier?.late?.target === target ? earlier.late : null;
}

/** A failure with a note about a late answer, in its detail as well, or without one if there is none. */
export function withLate(failure: Failure, late: StoredLate | null): Failure {
  const { late: _before, ...rest } = failure;
  const detail = timeoutAlone(failure.detail);
  if (late === null) return { ...rest, detail };
  const { status, after_ms: afterMs } = late;
  return { ...rest, detail: lateDetail(detail, { status, afterMs }), late };
}

const ALSO = '; it answers, but later than its timeout (HTTP ';

/** The detail of a timeout at an endpoint that answers after its timeout. */
export function lateDetail(detail: string, { status, afterMs }: LateAnswer): string {
  return `${detail}${ALSO}${status} after ${aboutSeconds(afterMs)})`;
}

function timeoutAlone(detail: string): string {
  return detail.split(ALSO, 1)[0] ?? detail;
}

/** `about 16 s`; with a decimal below ten seconds. */
export function aboutSeconds(ms: number): string {
  return `about ${ms < 10_000 ? Number((ms / 1_000).toFixed(1)) : Math.round(ms / 1_000)} s`;
}

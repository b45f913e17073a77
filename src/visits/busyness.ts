/** What is known about a visit. */
export interface VisitSoFar {
  /** How many entries have settled since its sender was last quiet. */
  settled: number;
  /** How long its sender has not been quiet, ms. */
  busyMs: number;
}

/** A consumer that gets more entries than this without a pause gets a drain of its own. */
const MANY = 500;
/** So does one that has not been quiet for this long, ms, if it has got at least this many entries in that time. */
const LONG_MS = 5_000;
const SOME = 100;

/**
 * Whether a visited consumer is to be handed over to a drain of its own, because it always has a next entry
 * soon. One that is busy for long with few entries is not: its endpoint is slow, or this process is, and a
 * drain would only be more work.
 */
export function isBusy({ settled, busyMs }: VisitSoFar): boolean {
  return settled >= MANY || (busyMs >= LONG_MS && settled >= SOME);
}

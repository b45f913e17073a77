/** What is known of a visit. */
export interface VisitSoFar {
  /** How many entries have settled since its sender was last quiet. */
  settled: number;
  /** How long its sender has not been quiet, ms. */
  busyMs: number;
}

/** A consumer that gets more than this without a pause is worth a drain of its own. */
const MANY = 500;
/** One that never comes to an end for so long is so as well, ms, if it has got this much in that time. */
const LONG_MS = 5_000;
const SOME = 100;

/**
 * Whether a visited consumer is handed over to a drain of its own, which is never far from its next entry. One that
 * waits for long and gets little is not: its endpoint is slow, or this process is, which more work would make worse.
 */
export function isBusy({ settled, busyMs }: VisitSoFar): boolean {
  return settled >= MANY || (busyMs >= LONG_MS && settled >= SOME);
}

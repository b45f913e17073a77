/** Clocks of machines differ by less than this; more is time that Temporal has skipped. */
const SKEW_MS = 10_000;

/**
 * Unix ms as Temporal counts them, from when this attempt was scheduled: where its server skips
 * time, the wall clock stays behind.
 */
export function temporalClock(scheduledMs: number): () => number {
  const ahead = scheduledMs - Date.now();
  return ahead > SKEW_MS ? () => Date.now() + ahead : () => Date.now();
}

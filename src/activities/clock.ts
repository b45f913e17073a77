/** The clocks of machines differ by less than this, ms; a larger difference is time that Temporal has skipped. */
const SKEW_MS = 10_000;

/**
 * A clock that shows unix ms as Temporal counts them, set by when this attempt was scheduled. The wall
 * clock would stay behind where Temporal's server skips time.
 */
export function temporalClock(scheduledMs: number): () => number {
  const ahead = scheduledMs - Date.now();
  return ahead > SKEW_MS ? () => Date.now() + ahead : () => Date.now();
}

/** When Temporal scheduled an activity and the current attempt at it, unix ms. */
interface Scheduled {
  scheduledTimestampMs: number;
  currentAttemptScheduledTimestampMs: number;
  /** How long all attempts together may take, ms; undefined: there is no limit. */
  scheduleToCloseTimeoutMs: number | undefined;
}

/**
 * The clock of an attempt that begins now, as Temporal counts time: its timestamps follow time
 * skipping, the wall clock does not. The window is `windowMs` long unless the activity has a time-out
 * of its own.
 */
export function attemptClock(
  scheduled: Scheduled,
  windowMs: number,
): { nowMs: () => number; remainingMs: () => number } {
  const began = performance.now();
  const { currentAttemptScheduledTimestampMs: startedAt, scheduledTimestampMs } = scheduled;
  const leftMs = scheduled.scheduleToCloseTimeoutMs ?? windowMs;
  const tookMs = (): number => performance.now() - began;
  return {
    nowMs: () => startedAt + tookMs(),
    remainingMs: () => leftMs - (startedAt - scheduledTimestampMs) - tookMs(),
  };
}

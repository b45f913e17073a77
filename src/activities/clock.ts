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

/** When Temporal scheduled an activity and this attempt at it, unix ms. */
interface Scheduled {
  scheduledTimestampMs: number;
  currentAttemptScheduledTimestampMs: number;
  /** How long all attempts together may take, ms; undefined: there is no limit. */
  scheduleToCloseTimeoutMs: number | undefined;
}

/**
 * Time as Temporal counts it, from now: its own timestamps follow time skipping, the wall clock does
 * not. The window is `windowMs` long where the activity has no time-out of its own.
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

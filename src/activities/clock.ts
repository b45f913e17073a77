/** When Temporal scheduled an activity and the current attempt at it, unix ms. */
interface Scheduled {
  scheduledTimestampMs: number;
  currentAttemptScheduledTimestampMs: number;
  /** How long all attempts together may take, ms; undefined: there is no limit. */
  scheduleToCloseTimeoutMs: number | undefined;
}

/**
 * A clock of unix ms for plans that Temporal carries out. It is that of Postgres (`now`), unless Temporal is
 * ahead of it, for example because its server skips time: then it continues from when Temporal scheduled this
 * attempt. An attempt that began long after that, in a process that was frozen, counts from its beginning.
 */
export function temporalClock(
  scheduled: Pick<Scheduled, 'currentAttemptScheduledTimestampMs'>,
  now: () => number,
): () => number {
  const aheadMs = Math.max(0, scheduled.currentAttemptScheduledTimestampMs - now());
  return () => now() + aheadMs;
}

/**
 * The clock of an attempt that begins now, and the rest of the retry window. The window is `windowMs` long
 * unless the activity has a time-out of its own.
 */
export function attemptClock(
  scheduled: Scheduled,
  windowMs: number,
  now: () => number,
): { nowMs: () => number; remainingMs: () => number } {
  const nowMs = temporalClock(scheduled, now);
  const endsAt = scheduled.scheduledTimestampMs + (scheduled.scheduleToCloseTimeoutMs ?? windowMs);
  return { nowMs, remainingMs: () => endsAt - nowMs() };
}

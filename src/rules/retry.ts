/** Seconds from each time of the schedule to the next, from the first failure on; the last value repeats. */
export const RETRY_SECONDS = [0.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600] as const;

/** A time of the schedule that is less than this away counts as reached, because an attempt may be this early, ms. */
const EARLY_MS = 50;

/** What the time of the next attempt depends on. */
export interface RetryRequest {
  /** How long the endpoint had been failing when this attempt ended, ms; 0 for the first failure. */
  failingMs: number;
  /**
   * The time from the end of the last wait that the endpoint had asked for to the end of this attempt, ms;
   * negative if that wait was not over; null if the endpoint has asked for none.
   */
  sinceAskedMs: number | null;
  /** What was left of the retry window when this attempt ended, ms. */
  remainingMs: number;
  /** The length of the retry window, ms. */
  windowMs: number;
  /** The wait that the endpoint asked for, in ms; null when it asked for none. */
  retryAfterMs: number | null;
  /** The factor by which the schedule is stretched, from `stretchOf`. */
  stretch: number;
  /** The least delay that a rate limit allows, ms; 0 by default. */
  leastMs?: number;
}

/**
 * Milliseconds until the next attempt, or null when this was the last one of the retry window.
 *
 * The schedule is a list of times that is fixed by the first failure, so nothing that is tried between
 * two of them puts off the next one. The same list begins once more where a wait ends that the endpoint
 * has asked for; of both lists the sooner time counts. Retry-After itself is followed exactly. The last
 * attempt is moved to just inside the window (30 s before the end of 24 h), because Temporal gives up
 * as soon as the next retry would be past it. Never 0, which Temporal takes for a final failure.
 */
export function nextDelayMs(request: RetryRequest): number | null {
  const margin = lastAttemptMarginMs(request.windowMs);
  const room = request.remainingMs - margin;
  // Nothing may follow an attempt in the last minute (of 24 h): it was the last one.
  if (room <= margin) return null;
  // A second at least: `Retry-After: 0`, or a date in the past, must not cause a tight loop.
  const demanded = request.retryAfterMs === null ? null : Math.max(1_000, request.retryAfterMs);
  const delay = demanded ?? untilScheduledMs(request);
  return Math.max(1, Math.min(Math.max(delay, request.leastMs ?? 0), room));
}

/** Milliseconds until the next time of the schedule, and at least its first step. */
function untilScheduledMs({ failingMs, sinceAskedMs, stretch }: RetryRequest): number {
  const factor = 0.9 + 0.2 * stretch;
  const again = sinceAskedMs === null ? Infinity : untilNextMs(sinceAskedMs, factor);
  const next = Math.min(untilNextMs(Math.max(0, failingMs), factor), again);
  return Math.max(RETRY_SECONDS[0] * 1_000 * factor, next);
}

/** Milliseconds until the first future time of the list, `sinceMs` after the list began. */
function untilNextMs(sinceMs: number, factor: number): number {
  const reachedMs = sinceMs + EARLY_MS;
  let atMs = 0;
  for (const seconds of RETRY_SECONDS) {
    if (atMs > reachedMs) break;
    atMs += seconds * 1_000 * factor;
  }
  const lastMs = RETRY_SECONDS[RETRY_SECONDS.length - 1]! * 1_000 * factor;
  if (atMs <= reachedMs) atMs += (Math.floor((reachedMs - atMs) / lastMs) + 1) * lastMs;
  return atMs - sinceMs;
}

/**
 * A number from 0 to 1 for a consumer or an entry, always the same one (FNV-1a of its id). It makes the
 * schedule up to 10 % shorter or longer, so that those that fail together are not tried together.
 */
export function stretchOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index += 1) {
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) / 0xffffffff;
}

/**
 * How long before the end of the retry window its last attempt starts, ms: 30 s of 24 h, at least 250 ms,
 * but no more than an eighth of a window of less than two seconds.
 */
export function lastAttemptMarginMs(windowMs: number): number {
  return Math.max(windowMs / 2880, Math.min(250, windowMs / 8));
}

/** The three forms of an HTTP date (RFC 9110 §5.6.7), all UTC. */
const HTTP_DATES = [
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/u,
  /^(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/u,
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [\d ]\d \d{2}:\d{2}:\d{2} \d{4}$/u,
];

/**
 * Reads Retry-After (RFC 9110 §10.2.3), seconds or an HTTP date, as ms from `nowMs`; a date in the past
 * is 0, anything else null.
 */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | null {
  if (value === undefined) return null;
  const text = value.trim();
  if (/^\d+$/u.test(text)) return Math.min(Number(text) * 1000, Number.MAX_SAFE_INTEGER);
  // Date.parse alone takes "Mon 5" as a day in 2001, and a date without a zone as local time.
  if (!HTTP_DATES.some((form) => form.test(text))) return null;
  const date = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(date) ? null : Math.max(0, date - nowMs);
}

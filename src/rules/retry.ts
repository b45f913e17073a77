/** Seconds before the 2nd, 3rd, … attempt; the last value repeats. */
export const RETRY_SECONDS = [0.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600] as const;

/** What the time of the next attempt depends on. */
export interface RetryRequest {
  /** Failed attempts so far, at least 1. */
  attempt: number;
  /** What was left of the retry window when this attempt ended, ms. */
  remainingMs: number;
  /** The length of the retry window, ms. */
  windowMs: number;
  /** The delay that the endpoint demanded, in ms; null when it demanded none. */
  retryAfterMs: number | null;
  /** A random number between 0 and 1. */
  random: number;
  /** The least delay that a rate limit allows, ms; 0 by default. */
  leastMs?: number;
}

/**
 * Milliseconds until the next attempt, or null when this was the last one of the retry window.
 *
 * The delay grows exponentially, with ±10 % jitter, or is exactly what Retry-After demanded. The last
 * attempt is moved to just inside the window (30 s before the end of 24 h), because Temporal gives up
 * as soon as the next retry would be past it. Never 0, which Temporal takes for a final failure.
 */
export function nextDelayMs(request: RetryRequest): number | null {
  const margin = lastAttemptMarginMs(request.windowMs);
  const room = request.remainingMs - margin;
  // Nothing may follow an attempt in the last minute (of 24 h): it was the last one.
  if (room <= margin) return null;
  const step = RETRY_SECONDS[Math.min(request.attempt, RETRY_SECONDS.length) - 1] ?? 3600;
  // A second at least: `Retry-After: 0`, or a date in the past, must not cause a tight loop.
  const demanded = request.retryAfterMs === null ? null : Math.max(1_000, request.retryAfterMs);
  const delay = demanded ?? step * 1000 * (0.9 + 0.2 * request.random);
  return Math.max(1, Math.min(Math.max(delay, request.leastMs ?? 0), room));
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

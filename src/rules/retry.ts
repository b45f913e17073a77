/** Seconds before the 2nd, 3rd, … attempt; the last one repeats. */
export const RETRY_SECONDS = [0.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600] as const;

export interface RetryRequest {
  /** Failed attempts so far, at least 1. */
  attempt: number;
  /** What is left of the window, in ms, as this attempt ended. */
  remainingMs: number;
  windowMs: number;
  /** What the endpoint asked for, in ms; null when nothing. */
  retryAfterMs: number | null;
  /** Between 0 and 1. */
  random: number;
  /** What a rate limit asks for, ms; none unless given. */
  leastMs?: number;
}

/**
 * Milliseconds until the next attempt, or null when this was the last one of the window.
 *
 * Exponential with ±10 % jitter, or exactly what Retry-After asked for. The last attempt is
 * pulled to just inside the window (30 s before its end for 24 h), because Temporal gives up as
 * soon as the next retry would fall past it. Never 0: Temporal takes that for a final failure.
 */
export function nextDelayMs(request: RetryRequest): number | null {
  const margin = lastAttemptMarginMs(request.windowMs);
  const room = request.remainingMs - margin;
  // In the last minute of the window: nothing may follow.
  if (room <= margin) return null;
  const step = RETRY_SECONDS[Math.min(request.attempt, RETRY_SECONDS.length) - 1] ?? 3600;
  // "At once" is not the next millisecond: a floor under Retry-After: 0 and dates in the past.
  const asked = request.retryAfterMs === null ? null : Math.max(1_000, request.retryAfterMs);
  const delay = asked ?? step * 1000 * (0.9 + 0.2 * request.random);
  return Math.max(1, Math.min(Math.max(delay, request.leastMs ?? 0), room));
}

/** How long before the window's end its last attempt is made: 30 s of 24 h, at least 250 ms. */
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
 * Retry-After in ms from now: delay-seconds or an HTTP date (RFC 9110 §10.2.3); a date in the
 * past is 0, anything else null.
 */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | null {
  if (value === undefined) return null;
  const text = value.trim();
  if (/^\d+$/u.test(text)) return Math.min(Number(text) * 1000, Number.MAX_SAFE_INTEGER);
  // Date.parse alone takes "Mon 5" for a day in 2001, and a date without a zone for local time.
  if (!HTTP_DATES.some((form) => form.test(text))) return null;
  const date = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(date) ? null : Math.max(0, date - nowMs);
}

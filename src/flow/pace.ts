/** About one tick of a drain: requests that fall due within it may start together. */
const TOLERANCE_MS = 50;

/** Spaces requests evenly. All times are monotonic ms. */
export interface Pace {
  /** Whether a request may start now; when it does, call `started`. */
  may(now: number): boolean;
  /** Counts a request that starts now. */
  started(now: number): void;
  /** Milliseconds until the next request is due; 0 without a limit. */
  waitMs(now: number): number;
  /** Continues at another rate (null: no limit), spaced from the last request. */
  change(perSecond: number | null): void;
}

/**
 * Allows at most `perSecond` requests a second (null: no limit) by the generic cell rate algorithm: each
 * request moves the theoretical time of the next one by 1/rate, and none starts earlier than a tick before its
 * own time. The first one is due at `first`.
 */
export function createPace(perSecond: number | null, first = 0): Pace {
  let spacing = spacingOf(perSecond);
  let last = first - spacing;
  const waitMs = (now: number): number => (spacing === 0 ? 0 : Math.max(0, last + spacing - now));
  return {
    may: (now) => waitMs(now) <= TOLERANCE_MS,
    started: (now) => {
      last = Math.max(last + spacing, now);
    },
    waitMs,
    change: (next) => {
      spacing = spacingOf(next);
    },
  };
}

function spacingOf(perSecond: number | null): number {
  return perSecond === null ? 0 : 1_000 / perSecond;
}

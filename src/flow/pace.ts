/** How long one tick of a drain is: requests that fall due within it may start together. */
const TOLERANCE_MS = 50;

/** Spaces requests evenly to at most so many a second; null: no limit. Monotonic ms. */
export interface Pace {
  /** Whether a request may start now; when it does, call `started`. */
  may(now: number): boolean;
  started(now: number): void;
  /** Until the next one is due; 0 without a limit. */
  waitMs(now: number): number;
  /** Goes on at another rate, spaced from the last request. */
  change(perSecond: number | null): void;
}

/**
 * The generic cell rate algorithm: each request moves the theoretical arrival of the next one on by
 * 1/rate, and none starts earlier than a tick before its own. The first one is due at `first`.
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

/** How long one tick of a drain is: requests that fall due within it may start together. */
const TOLERANCE_MS = 50;

/** Spaces requests evenly to at most `perSecond`; null: no limit. Monotonic ms. */
export interface Pace {
  /** Whether a request may start now; when it does, call `started`. */
  may(now: number): boolean;
  started(now: number): void;
}

/**
 * The generic cell rate algorithm: each request moves the theoretical arrival of the next one on by
 * 1/rate, and none starts earlier than a tick before its own.
 */
export function createPace(perSecond: number | null): Pace {
  if (perSecond === null) return { may: () => true, started: () => undefined };
  const spacing = 1_000 / perSecond;
  let arrival = 0;
  return {
    may: (now) => now >= arrival - TOLERANCE_MS,
    started: (now) => {
      arrival = Math.max(arrival, now) + spacing;
    },
  };
}

/** How many successes of a process are traced each second, on average. */
const PER_SECOND = 1;
/** How many may be traced at the same time after a quiet period. */
const BURST = 10;
/** The least time between two traced successes of one sender. */
const SENDER_EVERY_MS = 60_000;

/** Decides which successes of a process are traced, so that tracing costs the same however much is sent. */
export interface TraceSampler {
  /**
   * Returns a function that decides for one sender: one success a minute, as long as the process has not traced
   * too many.
   */
  ofSender(): () => boolean;
}

/** Traces up to ten successes at once, and one a second on average; `now` is monotonic ms. */
export function createTraceSampler(now: () => number = () => performance.now()): TraceSampler {
  let left = BURST;
  let filledAt = now();

  function takes(at: number): boolean {
    left = Math.min(BURST, left + ((at - filledAt) / 1_000) * PER_SECOND);
    filledAt = at;
    if (left < 1) return false;
    left -= 1;
    return true;
  }

  return {
    ofSender: () => {
      let takenAt = -Infinity;
      return () => {
        const at = now();
        if (at - takenAt < SENDER_EVERY_MS || !takes(at)) return false;
        takenAt = at;
        return true;
      };
    },
  };
}

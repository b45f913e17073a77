/** Whether one request is within the limit, for the `ratelimit` headers. */
export interface Turn {
  allowed: boolean;
  /** Requests that may follow immediately. */
  remaining: number;
  /** Until the whole burst is available again; for a refused request, until the next is allowed; ms. */
  waitMs: number;
}

/** Limits each caller to a rate, with bursts of twice that number; counts in this process alone. */
export interface RateLimit {
  /** Requests that may come at the same moment. */
  burst: number;
  perSecond: number;
  /** Counts one request of the caller, unless it is refused. */
  spend(caller: string): Turn;
}

/** Beyond this many callers, those whose whole burst is available again are forgotten. */
const MOST = 1_000;

/**
 * Uses the generic cell rate algorithm: each request moves the caller's theoretical arrival time by 1/rate, and
 * that time may be ahead of the clock by no more than the burst. `now` is monotonic ms.
 */
export function createRateLimit(
  perSecond: number,
  now: () => number = () => performance.now(),
): RateLimit {
  const spacing = 1_000 / perSecond;
  const burst = 2 * perSecond;
  const arrivals = new Map<string, number>();

  function spend(caller: string): Turn {
    const at = now();
    const arrival = Math.max(arrivals.get(caller) ?? 0, at);
    const after = arrival + spacing;
    const ahead = after - at - burst * spacing;
    if (ahead > 1e-6) return { allowed: false, remaining: 0, waitMs: ahead };
    if (arrivals.size >= MOST && !arrivals.has(caller)) forget(at);
    arrivals.set(caller, after);
    const waitMs = after - at;
    return { allowed: true, remaining: Math.floor(burst - waitMs / spacing + 1e-6), waitMs };
  }

  function forget(at: number): void {
    for (const [caller, arrival] of arrivals) if (arrival <= at) arrivals.delete(caller);
  }

  return { burst, perSecond, spend };
}

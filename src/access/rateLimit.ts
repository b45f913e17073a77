export interface Turn {
  allowed: boolean;
  /** Requests that may follow at once. */
  remaining: number;
  /** Until all of them may again, or, where it is not allowed, until the next may; ms. */
  waitMs: number;
}

/** Holds each caller to a rate, with bursts of twice that; in this process alone. */
export interface RateLimit {
  /** Requests at once. */
  burst: number;
  perSecond: number;
  spend(caller: string): Turn;
}

/** Callers whose burst is whole again are forgotten when there are more. */
const MOST = 1_000;

/**
 * The generic cell rate algorithm: each request moves the caller's theoretical arrival on by 1/rate,
 * and none may be further ahead of its arrival than the burst allows. `now` is monotonic ms.
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

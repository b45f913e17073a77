/**
 * Decides how many calls to Temporal a process may have in progress, by how Temporal answers. So the number of
 * calls follows what Temporal can handle, and falls where a fixed number would prolong an overload. Times are
 * monotonic ms.
 */
export interface CallPace {
  /** How many calls may be in progress. */
  readonly limit: number;
  /** Whether one more call may begin at `now`. */
  mayBegin(now: number): boolean;
  /** Milliseconds until the pause of all calls is over; 0 without one. */
  waitMs(now: number): number;
  /** Begins a call; exactly one of the methods of the returned object has to be called when it ends. */
  begin(now: number): PacedCall;
}

/** A call in progress. */
export interface PacedCall {
  /** Temporal has answered, which shows that it is there, even if it refused this call. */
  answered(now: number): void;
  /** The call failed in a way that may concern all calls: Temporal is away, overloaded, or did not answer in time. */
  failed(now: number): void;
}

export interface CallPaceOptions {
  /** From 0 to 1, for half of a pause to all of it, so that several processes do not return at the same moment. */
  random: () => number;
}

const FIRST_LIMIT = 8;
/** An upper limit, so that many calls do not crowd out a single one at Temporal. */
const MOST = 32;
/** So many failures without an answer between them pause all calls. */
const FAILED_IN_A_ROW = 3;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5_000;
/** So many slow answers in a row halve the limit; a single one may have another reason. */
const SLOW_IN_A_ROW = 3;
/** An answer counts as slow when it takes so many times as long as one without other calls in progress. */
const SLOWER = 4;
/** An answer never counts as slow below the first, and always above the second, ms. */
const QUICK_MS = 100;
const SLOW_MS = 2_000;

/**
 * Creates the pace. The limit grows by one with each answer up to the point at which Temporal last failed, so
 * that it doubles with each round, and from there by one with each round; it grows only while it is fully used.
 * A failure or several slow answers in a row halve it, once for all calls that had begun by then. After several
 * failures in a row, all calls pause, for half a second at first and up to five seconds later, and then one
 * call at a time finds out whether Temporal is back. The limit is never below one.
 */
export function createCallPace({ random }: CallPaceOptions): CallPace {
  let limit = FIRST_LIMIT;
  let found: number | null = null; // the limit after it was last halved; above it, the limit grows slowly
  let grown = 0; // answers towards the next step above `found`
  let underWay = 0;
  let usualMs: number | null = null; // how long an answer takes while no other call is in progress
  let slowInARow = 0;
  let failedInARow = 0;
  let begun = 0;
  let halvedAfter = 0; // calls: what they say, the limit has already heard
  let pausedAfter = 0; // calls
  let pauses = 0; // without an answer since
  let pausedUntil = 0;

  function begin(startedAt: number): PacedCall {
    underWay += 1;
    begun += 1;
    const number = begun;
    const isAlone = underWay === 1;
    return {
      answered: (now) => {
        const isFull = underWay >= limit;
        underWay -= 1;
        failedInARow = 0;
        pauses = 0;
        const tookMs = now - startedAt;
        const isSlow = tookMs > slowAfterMs();
        if (isAlone) learn(tookMs);
        if (number <= halvedAfter) return;
        slowInARow = isSlow ? slowInARow + 1 : 0;
        if (slowInARow >= SLOW_IN_A_ROW) halve();
        else if (!isSlow && isFull) grow();
      },
      failed: (now) => {
        underWay -= 1;
        failedInARow += 1;
        if (number > halvedAfter) halve();
        if (failedInARow >= FAILED_IN_A_ROW && number > pausedAfter) pause(now);
      },
    };
  }

  /** Quick to assume that Temporal is fast, and slow to assume that it has become slow. */
  function learn(tookMs: number): void {
    if (usualMs === null) usualMs = tookMs;
    else usualMs += (tookMs - usualMs) / (tookMs < usualMs ? 2 : 8);
  }

  function slowAfterMs(): number {
    return Math.min(Math.max((usualMs ?? 0) * SLOWER, QUICK_MS), SLOW_MS);
  }

  function grow(): void {
    if (limit >= MOST) return;
    if (found !== null && limit >= found) {
      grown += 1;
      if (grown < limit) return;
      grown = 0;
    }
    limit += 1;
  }

  function halve(): void {
    halvedAfter = begun;
    slowInARow = 0;
    grown = 0;
    if (limit === 1) return; // `found` stays as it was before
    limit = Math.floor(limit / 2);
    found = limit;
  }

  function pause(now: number): void {
    halvedAfter = begun;
    pausedAfter = begun;
    const ms = Math.min(FIRST_PAUSE_MS * 2 ** pauses, LONGEST_PAUSE_MS);
    pauses += 1;
    pausedUntil = now + (ms * (1 + random())) / 2;
    limit = 1;
  }

  return {
    get limit() {
      return limit;
    },
    mayBegin: (now) => now >= pausedUntil && underWay < limit,
    waitMs: (now) => Math.max(0, pausedUntil - now),
    begin,
  };
}

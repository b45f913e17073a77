/** A parked entry that is due within it keeps a drain from going idle. */
export const SOON_MS = 5_000;
/** Progress without deliveries (entries that did not match) is stored this often. */
const STORE_EVERY_MS = 1_000;

/** What a drain looks at to tell whether anything is left to do. Monotonic ms. */
export interface Stillness {
  now: number;
  lastMatchAt: number;
  /** The highest position read. */
  readTo: number;
  /** The stream's end as the tail knows it; null: not yet. */
  tailEnd: number | null;
  /** Entries that were read and have not settled. */
  open: number;
  inFlight: number;
  /** Until the next parked entry is due, ms; Infinity: none is parked. */
  nextParkedMs: number;
  committedPosition: number;
  lastCommitAt: number;
  idleAfterMs: number;
}

export interface Idleness {
  /** Since when there was nothing to do; null while there is. */
  quietSince: number | null;
  /** The position has moved over entries that did not match, and is to be stored. */
  store: boolean;
  /** It has been quiet for long enough to end. */
  idle: boolean;
}

/** Whether a drain is quiet, has silent progress to store, or has been quiet long enough to end. */
export function idlenessOf(seen: Stillness): Idleness {
  const caughtUp = seen.open === 0 && seen.tailEnd !== null && seen.readTo >= seen.tailEnd;
  const quiet = caughtUp && seen.inFlight === 0 && seen.nextParkedMs > SOON_MS;
  const progressed = seen.open === 0 && seen.readTo > seen.committedPosition;
  return {
    quietSince: quiet ? seen.lastMatchAt : null,
    // A renewal brings the progress of one that is caught up along soon enough.
    store: progressed && !caughtUp && seen.now - seen.lastCommitAt > STORE_EVERY_MS,
    idle: quiet && seen.now - seen.lastMatchAt >= seen.idleAfterMs,
  };
}

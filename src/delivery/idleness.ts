/** A parked entry that is due within this time keeps a drain from going idle, ms. */
export const SOON_MS = 5_000;
/** How often progress over entries that did not match is stored, ms. */
const STORE_EVERY_MS = 1_000;

/** The facts by which a drain decides whether anything is left to do. Times are monotonic ms. */
export interface Stillness {
  now: number;
  lastMatchAt: number;
  /** The highest position read. */
  readTo: number;
  /** The stream's end as the tail knows it; null: it does not know it yet. */
  tailEnd: number | null;
  /** Entries that were read and have not settled. */
  open: number;
  inFlight: number;
  /** Milliseconds until the next parked entry is due; Infinity: none is parked. */
  nextParkedMs: number;
  committedPosition: number;
  lastCommitAt: number;
  idleAfterMs: number;
}

/** The conclusions for the drain. */
export interface Idleness {
  /** Since when there has been nothing to do, monotonic ms; null while there is something. */
  quietSince: number | null;
  /** Whether to store the position, which has passed entries that did not match. */
  store: boolean;
  /** Whether the drain has been quiet for long enough to end. */
  idle: boolean;
}

/** Decides whether a drain is quiet, has to store its position, or has been quiet for long enough to end. */
export function idlenessOf(seen: Stillness): Idleness {
  const caughtUp = seen.open === 0 && seen.tailEnd !== null && seen.readTo >= seen.tailEnd;
  const quiet = caughtUp && seen.inFlight === 0 && seen.nextParkedMs > SOON_MS;
  const progressed = seen.open === 0 && seen.readTo > seen.committedPosition;
  return {
    quietSince: quiet ? seen.lastMatchAt : null,
    // The next renewal of the lease stores the position of a drain that has caught up, which is soon enough.
    store: progressed && !caughtUp && seen.now - seen.lastCommitAt > STORE_EVERY_MS,
    idle: quiet && seen.now - seen.lastMatchAt >= seen.idleAfterMs,
  };
}

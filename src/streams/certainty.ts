import { setTimeout } from 'node:timers/promises';

import { isDatabaseAway, isOutOfRoom, isReadOnly } from '../db/errors.ts';

/** How long to look up a write while it is unknown whether it was committed. */
export interface Doubt {
  /** How long to look up a write whose connection broke, ms. */
  doubtMs: number;
  /** The pause between two look-ups, ms. */
  retryMs: number;
  /** Aborts when the process ends; from then on nothing is waited for. */
  signal: AbortSignal;
}

/**
 * Runs `write` until it is certain whether it was committed, and never commits it twice. When the connection
 * breaks, Postgres may or may not have committed; therefore `find` first looks up the write, and `write` runs
 * again only when `find` returns null. Rejects with the error of a write that Postgres refuses. When Postgres
 * stays away or `signal` aborts, it rejects with the last error, and the outcome stays unknown.
 */
export async function surely<T>(
  write: () => Promise<T>,
  find: () => Promise<T | null>,
  { doubtMs, retryMs, signal }: Doubt,
): Promise<T> {
  const until = performance.now() + doubtMs;
  let next: () => Promise<T | null> = write;
  for (;;) {
    try {
      const answer = await next();
      if (answer !== null) return answer;
      next = write;
    } catch (error) {
      if (!isDatabaseAway(error) || performance.now() > until || signal.aborted) throw error;
      if (next === write && (isOutOfRoom(error) || isReadOnly(error))) throw error; // Postgres answered: it is rolled back
      next = find;
      await setTimeout(retryMs, undefined, { signal }).catch(() => {
        throw error; // the caller has to know that the outcome is unknown
      });
    }
  }
}

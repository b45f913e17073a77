import { setTimeout } from 'node:timers/promises';

import { isDatabaseAway, isOutOfRoom } from '../db/errors.ts';

/** How long it may stay unknown what became of a write. */
export interface Doubt {
  /** How long to look for what became of a write whose connection broke, ms. */
  doubtMs: number;
  /** Between two looks, ms. */
  retryMs: number;
  /** Aborts when the process ends: then nothing is waited for. */
  signal: AbortSignal;
}

/**
 * Runs `write` until it is certain what became of it, and never twice what was committed. When the
 * connection breaks, it is unknown whether Postgres committed: so `find` looks for what was written
 * first, and `write` runs again only when `find` answers null. Rejects with what Postgres refuses,
 * and with the last error when Postgres stays away or `signal` aborts; then it is not known.
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
      if (next === write && isOutOfRoom(error)) throw error; // Postgres answered: it is rolled back
      next = find;
      await setTimeout(retryMs, undefined, { signal }).catch(() => {
        throw error; // the caller has to learn that it is not known
      });
    }
  }
}

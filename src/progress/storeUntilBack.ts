import { setTimeout as sleep } from 'node:timers/promises';

import { isDatabaseAway } from '../db/errors.ts';

/** The pause after the first try that found Postgres away, ms; it doubles with each further one. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

export interface Patience {
  /** Whether the try that began at `sentAt` (monotonic ms) was the last one; asked when it has failed. */
  givesUp: (sentAt: number) => boolean;
  /** Called after each try that found Postgres away. */
  away?: (error: Error) => void;
}

/**
 * Repeats `store` while Postgres is away, and resolves with its answer and the monotonic time at
 * which the try that succeeded began, from which a renewed lease counts. Throws the last error when
 * patience ends, and any error that does not say that Postgres is away immediately.
 */
export async function storeUntilBack<T>(
  store: () => Promise<T>,
  { givesUp, away }: Patience,
): Promise<{ answer: T; sentAt: number }> {
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    const sentAt = performance.now();
    try {
      return { answer: await store(), sentAt };
    } catch (error) {
      if (!isDatabaseAway(error)) throw error;
      away?.(error as Error);
      if (givesUp(sentAt)) throw error;
      await sleep(pauseMs);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }
}

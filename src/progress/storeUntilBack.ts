import { setTimeout as sleep } from 'node:timers/promises';

import { isDatabaseAway } from '../db/errors.ts';

/** The pause after the first try that found Postgres away, ms; it doubles with each further try. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

/** How long storing is tried again. */
export interface Patience {
  /** Called after a failed try that began at `sentAt` (monotonic ms): whether it was the last one. */
  givesUp: (sentAt: number) => boolean;
  /** Whether a failed try is to be repeated; unless given, one that found Postgres away is. */
  repeats?: (error: unknown) => boolean;
  /** Called after each try that found Postgres away. */
  away?: (error: Error) => void;
}

/**
 * Repeats `store` while Postgres is away. Resolves with its answer and the monotonic time at which the
 * successful try began, from which a renewed lease counts. Throws the last error when `givesUp` says so; an
 * error that `repeats` does not accept is thrown immediately.
 */
export async function storeUntilBack<T>(
  store: () => Promise<T>,
  { givesUp, away, repeats = isDatabaseAway }: Patience,
): Promise<{ answer: T; sentAt: number }> {
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    const sentAt = performance.now();
    try {
      return { answer: await store(), sentAt };
    } catch (error) {
      if (!repeats(error)) throw error;
      away?.(error as Error);
      if (givesUp(sentAt)) throw error;
      await sleep(pauseMs);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }
}

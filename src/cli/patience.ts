import { setTimeout as wait } from 'node:timers/promises';

import { ClientError } from '../api/client.ts';
import type { Context } from './context.ts';

/** If the API is away longer, the command ends. */
const PATIENCE_MS = 60_000;
const AGAIN_MS = 250;
const MOST_MS = 5_000;

/**
 * Does work that has no further effect when it is repeated, and repeats it for up to a minute while the API is
 * away or asks to wait. Rejects with the last error, and at once with any other.
 */
export async function patiently<T>(
  { out, signal }: Pick<Context, 'out' | 'signal'>,
  work: () => Promise<T>,
): Promise<T> {
  const since = performance.now();
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ClientError) || signal.aborted) throw error;
      const isPassing = error.status === 0 || error.status >= 500 || error.status === 429;
      if (!isPassing || performance.now() - since > PATIENCE_MS) throw error;
      out.progress(`${error.detail}; retrying`);
      await wait(Math.min(MOST_MS, AGAIN_MS * 2 ** tries), undefined, { signal });
    }
  }
}

import { setTimeout as pause } from 'node:timers/promises';

import {
  followSource,
  Interrupted,
  type Followed,
  type FollowSourceDeps,
} from '../../src/sources/followSource.ts';

const AGAIN_MS = 100;

/** Follows a source again and again, as Temporal does. */
export async function keepFollowing(
  deps: FollowSourceDeps,
  id: string,
  { signal, errors }: { signal: AbortSignal; errors: Error[] },
): Promise<Followed> {
  for (;;) {
    try {
      return await followSource(deps, id, signal);
    } catch (error) {
      errors.push(error as Error);
      const againMs = error instanceof Interrupted ? error.againMs : null;
      await pause(againMs ?? AGAIN_MS, undefined, { signal }).catch(() => undefined); // it stops
      if (signal.aborted) return 'stopped';
    }
  }
}

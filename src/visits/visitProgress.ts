import type { Confirmation } from '../progress/filterRows.ts';
import type { Release } from '../progress/lease.ts';
import type { Progress } from '../progress/progress.ts';
import { together } from './together.ts';
import type { VisitStore } from './visitStore.ts';

/** How long a release or a confirmation waits for others, ms, and how many are stored at a time. */
const WAIT_MS = 10;
const MOST = 1_000;

/**
 * The progress of visited consumers, as for any sender, except that leases are released and versions confirmed
 * for many consumers at a time. `wantsOf` says who sends next for a consumer that is released.
 */
export function createVisitProgress(
  progress: Progress,
  store: Pick<VisitStore, 'release' | 'confirm'>,
  wantsOf: (released: Release) => Pick<Release, 'wants'>,
): Progress {
  return {
    ...progress,
    release: together({
      run: (released: Release[]) =>
        store.release(released.map((one) => ({ ...one, ...wantsOf(one) }))),
      waitMs: WAIT_MS,
      most: MOST,
    }),
    confirm: together({
      run: async (taken: Confirmation[]) => {
        await store.confirm(taken);
        return taken.map(() => undefined);
      },
      waitMs: WAIT_MS,
      most: MOST,
    }),
  };
}

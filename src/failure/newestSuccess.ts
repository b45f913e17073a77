import { recordOf } from '../rules/ordering.ts';
import type { Entry } from '../streams/entry.ts';

/** Remembers the successful request that started last, because it is evidence for the endpoint. */
export interface NewestSuccess {
  /** Notes a success whose request started at `startedAt`, monotonic ms. */
  note(entry: Entry, startedAt: number): void;
  /** Whether a request of another record than the entry's has succeeded that started after `startedAt`. */
  isOfAnotherAfter(entry: Entry, startedAt: number): boolean;
}

/** Creates the memory without a success. */
export function createNewestSuccess(): NewestSuccess {
  // Two variables and no key, because this is done for each delivery.
  let newest: Entry | null = null;
  let newestStartedAt = -Infinity;
  return {
    note: (entry, startedAt) => {
      if (startedAt <= newestStartedAt) return;
      newest = entry;
      newestStartedAt = startedAt;
    },
    isOfAnotherAfter: (entry, startedAt) => {
      if (newest === null || newestStartedAt <= startedAt) return false;
      return recordOf(newest) !== recordOf(entry);
    },
  };
}

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
  // A few variables and no key, because this is done for each delivery.
  let newest: Entry | null = null;
  let other: Entry | null = null; // of another record, which came with the same request
  let newestStartedAt = -Infinity;
  return {
    note: (entry, startedAt) => {
      if (startedAt < newestStartedAt) return;
      if (startedAt === newestStartedAt) {
        if (other === null && newest !== null && isOfAnother(newest, entry)) other = entry;
        return;
      }
      newest = entry;
      other = null;
      newestStartedAt = startedAt;
    },
    isOfAnotherAfter: (entry, startedAt) => {
      if (newest === null || newestStartedAt <= startedAt) return false;
      return isOfAnother(newest, entry) || other !== null;
    },
  };
}

function isOfAnother(one: Entry, entry: Entry): boolean {
  return recordOf(one) !== recordOf(entry);
}

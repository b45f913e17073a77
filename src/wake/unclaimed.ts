import type { Wanting } from './leaderStore.ts';

/** So long lanes of visits have to claim a consumer, ms, before its own workflow is signalled after all. */
const GRACE_MS = 20_000;
/**
 * Where there are lanes that have not got to it, they have more to do than they can: as many drains would be more
 * work, and for Temporal as well. A lane that is there and claims nothing is not waited for longer than this, ms.
 */
const LANES_GRACE_MS = 180_000;

/**
 * Chooses, of the consumers that want something and have no sender, those whose workflows are to be
 * signalled: those that need a drain, and those that no lane of visits has claimed for long, as when none
 * runs. `now` is monotonic ms. They may come page by page; `isLast` ends a round, after which those that it
 * did not have are forgotten.
 */
export interface Unclaimed {
  choose(wanting: readonly Wanting[], now: number, isLast?: boolean): Wanting[];
}

/** Creates a memory of since when each consumer has not been claimed. */
export function createUnclaimed(): Unclaimed {
  let since = new Map<string, { wanted: number; at: number }>();
  let seen: typeof since = new Map(); // in this round

  function choose(wanting: readonly Wanting[], now: number, isLast = true): Wanting[] {
    const chosen: Wanting[] = [];
    for (const one of wanting) {
      if (one.needsDrain) {
        chosen.push(one);
        continue;
      }
      const { consumerId, wanted, hasLanes } = one;
      const before = since.get(consumerId);
      const waits = before?.wanted === wanted ? before : { wanted, at: now };
      seen.set(consumerId, waits);
      if (now - waits.at >= (hasLanes ? LANES_GRACE_MS : GRACE_MS)) chosen.push(one);
    }
    if (isLast) {
      since = seen;
      seen = new Map();
    }
    return chosen;
  }

  return { choose };
}

import type { Wanting } from './leaderStore.ts';

/** How long lanes of visits have to claim a consumer before its own workflow is signalled after all, ms. */
const GRACE_MS = 20_000;
/**
 * How long a consumer waits where there are lanes, or were a moment ago, ms: they have more work than they can
 * do, or are starting again, and as many drains would be even more work, also for Temporal. Lanes that claim
 * nothing are not waited for longer than this.
 */
const LANES_GRACE_MS = 180_000;
/**
 * Lanes that have claimed others within `LANES_GRACE_MS` are making progress, and are waited for as long as
 * this, ms.
 */
const CLAIMING_GRACE_MS = 1_800_000;

/**
 * Chooses, of the consumers that want an entry and have no sender, those whose workflows are to be signalled:
 * those that need a drain, and those that no lane of visits has claimed for long, for example because none
 * runs. `now` is monotonic ms. The consumers may come page by page; `isLast` ends a round, after which
 * consumers that did not appear in it are forgotten.
 */
export interface Unclaimed {
  choose(wanting: readonly Wanting[], now: number, isLast?: boolean): Wanting[];
}

interface Waits {
  wanted: number;
  at: number;
  region: string;
  /** Whether its workflow has been signalled, so that a drain may have taken it. */
  isChosen: boolean;
}

/** When lanes of a region were last seen, and when last to have claimed a consumer. */
interface Lanes {
  seenAt: number;
  claimedAt: number;
}

/** Creates a memory of the time since which each consumer has not been claimed. */
export function createUnclaimed(): Unclaimed {
  let since = new Map<string, Waits>();
  let seen: typeof since = new Map(); // in this round
  let wants = new Map<string, number>(); // of all that have appeared in this round
  const regions = new Map<string, Lanes>();

  function choose(wanting: readonly Wanting[], now: number, isLast = true): Wanting[] {
    noticeLanes(wanting, now);
    for (const { consumerId, wanted } of wanting) wants.set(consumerId, wanted);
    if (isLast) noticeClaims(now);
    const chosen: Wanting[] = [];
    for (const one of wanting) {
      if (one.needsDrain) {
        chosen.push(one);
        continue;
      }
      const { consumerId, wanted, region } = one;
      const before = since.get(consumerId);
      const waits =
        before?.wanted === wanted ? before : { wanted, at: now, region, isChosen: false };
      seen.set(consumerId, waits);
      if (now - waits.at < graceOf(region, now)) continue;
      waits.isChosen = true;
      chosen.push(one);
    }
    if (isLast) {
      since = seen;
      seen = new Map();
      wants = new Map();
    }
    return chosen;
  }

  /** Notes which regions have lanes. */
  function noticeLanes(wanting: readonly Wanting[], now: number): void {
    for (const { region, hasLanes } of wanting) {
      if (!hasLanes) continue;
      const { claimedAt = -Infinity } = regions.get(region) ?? {};
      regions.set(region, { seenAt: now, claimedAt });
    }
  }

  /**
   * At the end of a round, notes the regions of consumers that are gone although only a lane can have claimed
   * them.
   */
  function noticeClaims(now: number): void {
    for (const [consumerId, { wanted, region, isChosen }] of since) {
      const lanes = regions.get(region);
      if (lanes !== undefined && !isChosen && wants.get(consumerId) !== wanted)
        lanes.claimedAt = now;
    }
  }

  function graceOf(region: string, now: number): number {
    const lanes = regions.get(region);
    if (lanes === undefined || now - lanes.seenAt > LANES_GRACE_MS) return GRACE_MS;
    return now - lanes.claimedAt > LANES_GRACE_MS ? LANES_GRACE_MS : CLAIMING_GRACE_MS;
  }

  return { choose };
}

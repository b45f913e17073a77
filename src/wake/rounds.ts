import type { LeaderStore, Wanting } from './leaderStore.ts';
import { createUnclaimed } from './unclaimed.ts';

/** The consumers to be signalled, of one page of those that want an entry. */
export interface Page {
  toSignal: Wanting[];
  /** With the last page of a round: all consumers that were to be signalled in it. Null while the round continues. */
  round: ReadonlySet<string> | null;
}

/**
 * Reads the consumers that want an entry and have no sender, a page with each call, and after the last page the
 * first one again. So consumers behind many unserved ones (for example because the workers of a region are
 * away) get their turn as well.
 */
export function createRounds(
  store: Pick<LeaderStore, 'wanting'>,
): (limit: number) => Promise<Page> {
  const unclaimed = createUnclaimed();
  let after: Wanting | null = null;
  let round = new Set<string>();

  return async (limit) => {
    const page = await store.wanting(limit, after);
    const isLast = page.length < limit;
    after = isLast ? null : (page.at(-1) ?? null);
    const toSignal = unclaimed.choose(page, performance.now(), isLast);
    for (const { consumerId } of toSignal) round.add(consumerId);
    if (!isLast) return { toSignal, round: null };
    const all = round;
    round = new Set();
    return { toSignal, round: all };
  };
}

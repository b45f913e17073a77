import type { Filter, FilterDelta } from '../../schema/consumer.ts';

const LISTS = ['syncs', 'collections', 'event_types'] as const;

/** Whether two filters let the same entries through, whatever the order of their lists. */
export function isSameFilter(one: Filter, other: Filter): boolean {
  return LISTS.every((list) => {
    const values = new Set(one[list]);
    return (
      values.size === new Set(other[list]).size && other[list].every((value) => values.has(value))
    );
  });
}

/** What to add and to remove; null where a list was `*` and no longer is, which a delta cannot express. */
export function deltaOf(before: Filter, after: Filter): FilterDelta | null {
  const add: Record<string, string[]> = {};
  const remove: Record<string, string[]> = {};
  for (const list of LISTS) {
    const [was, is] = [before[list], after[list]];
    if (was[0] === '*' && is[0] === '*') continue;
    if (was[0] === '*') return null;
    if (is[0] === '*') {
      add[list] = ['*'];
      continue;
    }
    const added = is.filter((value) => !was.includes(value));
    const removed = was.filter((value) => !is.includes(value));
    if (added.length > 0) add[list] = added;
    if (removed.length > 0) remove[list] = removed;
  }
  return { add, remove };
}

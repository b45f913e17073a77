import type { Filter, FilterDelta } from '../../schema/consumer.ts';

const LISTS = ['syncs', 'collections', 'event_types'] as const;

/** Whether two filters let the same entries through, whatever the order of their lists. */
export function isSameFilter(one: Filter, other: Filter): boolean {
  if (conditionOf(one) !== conditionOf(other)) return false;
  return LISTS.every((list) => {
    const values = new Set(one[list]);
    return (
      values.size === new Set(other[list]).size && other[list].every((value) => values.has(value))
    );
  });
}

/** The condition of a filter, without the space behind it; null for one in which nothing is written. */
export function conditionOf({ where }: Pick<Filter, 'where'>): string | null {
  return where?.trimEnd() || null;
}

/**
 * What to add and to remove, and the new condition if it is another one; null where a list was `*` and no longer is, which
 * a delta cannot express.
 */
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
  const where = conditionOf(after);
  return { add, remove, ...(where !== conditionOf(before) && { where }) };
}

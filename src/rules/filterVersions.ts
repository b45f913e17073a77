import type { Filter } from '../schema/consumer.ts';

/** One version of a consumer's filter. */
export interface FilterVersion {
  version: number;
  /** It applies above this position; null while the running drain has not taken it. */
  filterFrom: number | null;
  filter: Filter;
}

/**
 * The filter in force just above `after`, the position `until` which it applies (null: without end),
 * and the later filters that these entries also have to pass. So an addition never reaches back, even
 * when entries are read again after a crash.
 */
export function inForce(
  versions: FilterVersion[],
  after: number,
): { filter: Filter; until: number | null; also: Filter[] } {
  let index = 0;
  while (index + 1 < versions.length && (versions[index + 1]?.filterFrom ?? Infinity) <= after) {
    index += 1;
  }
  const now = versions[index];
  if (now === undefined) throw new Error('a consumer has at least one filter version');
  const later = versions.slice(index + 1);
  return {
    filter: now.filter,
    until: later[0]?.filterFrom ?? null,
    also: later.map((version) => version.filter),
  };
}

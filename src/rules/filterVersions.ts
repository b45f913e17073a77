import type { Filter } from '../schema/consumer.ts';

export interface FilterVersion {
  version: number;
  /** Applies above this position; null while the running drain has not taken it. */
  filterFrom: number | null;
  filter: Filter;
}

/**
 * The version that is in force just above `after`, up to where the next one takes over (null:
 * no end), and the later versions that an entry up to there has to pass as well: so an addition
 * never reaches back, also when a crash makes entries read again.
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

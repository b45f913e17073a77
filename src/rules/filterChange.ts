import type { Filter } from '../schema/consumer.ts';
import { whereOf } from './filter.ts';

const LISTS = ['syncs', 'collections', 'event_types'] as const;

/** The largest number of values that a change names for each list, because a filter's lists hold up to 10,000. */
const NAMED = 10;

/** What an edit changed in a filter, as the log of changes keeps it: the values by list; `["*"]` is everything. */
export interface FilterChange {
  added: Partial<Filter>;
  removed: Partial<Filter>;
  /** The condition, if it was changed; null: it was removed. */
  where?: string | null;
  /** How many further values were added or removed; missing if all are named. */
  left_out?: number;
}

/** Compares two filters, whatever the order of their lists. */
export function filterChange(before: Filter, after: Filter): FilterChange {
  const change: FilterChange = { added: {}, removed: {} };
  if (whereOf(before) !== whereOf(after)) change.where = whereOf(after);
  let leftOut = 0;
  const note = (part: Partial<Filter>, list: (typeof LISTS)[number], values: string[]): void => {
    if (values.length === 0) return;
    part[list] = values.slice(0, NAMED);
    leftOut += Math.max(0, values.length - NAMED);
  };
  for (const list of LISTS) {
    note(change.added, list, without(after[list], before[list]));
    note(change.removed, list, without(before[list], after[list]));
  }
  return leftOut === 0 ? change : { ...change, left_out: leftOut };
}

function without(list: string[], other: string[]): string[] {
  const known = new Set(other);
  return list.filter((value) => !known.has(value));
}

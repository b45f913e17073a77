import type { Filter, FilterDelta } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';

const LISTS = ['syncs', 'collections', 'event_types'] as const;

/** The filter in a row of `filter_versions`, ignoring other columns of the row. */
export function filterOf({ syncs, collections, event_types, where }: Filter): Filter {
  const lists = { syncs, collections, event_types };
  return where === undefined || where === null ? lists : { ...lists, where };
}

/** The condition of a filter; null: it has none. */
export function whereOf({ where }: Pick<Filter, 'where'>): string | null {
  return where ?? null;
}

/** A filter as Postgres may hold it: an array can hold nulls and arrays, and a row can be lost. */
export type StoredFilter = { [list in (typeof LISTS)[number]]: readonly unknown[] | null } & {
  where?: string | null;
};

/** Whether a stored filter can be read: each of its lists exists, and holds only texts. */
export function isReadable(stored: StoredFilter): stored is StoredFilter & Filter {
  return LISTS.every((list) => stored[list]?.every((value) => typeof value === 'string') ?? false);
}

/** The parts of an entry that a filter looks at; `event` is null on the records stream. */
export interface Matchable {
  syncId: string;
  collectionId: string;
  event: string | null;
}

/** A compiled filter. */
export type Matcher = (entry: Matchable) => boolean;

/**
 * Compiles the lists of a filter into set look-ups: an entry passes when each of its three values is in its list. The
 * condition of a filter needs the entry's data, and is evaluated elsewhere, on what passes.
 */
export function compile(filter: Filter): Matcher {
  const syncs = toSet(filter.syncs);
  const collections = toSet(filter.collections);
  const events = toSet(filter.event_types);
  if (syncs === null && collections === null && events === null) return () => true;
  return (entry) =>
    (syncs === null || syncs.has(entry.syncId)) &&
    (collections === null || collections.has(entry.collectionId)) &&
    (events === null || entry.event === null || events.has(entry.event));
}

function toSet(list: string[]): Set<string> | null {
  return list[0] === '*' ? null : new Set(list);
}

/** Whether a filter lets no entry through, because one of its lists is empty. */
export function matchesNothing(filter: Filter): boolean {
  return LISTS.some((list) => filter[list].length === 0);
}

/** The filter after a delta, or why the delta is refused. */
export type Edited =
  | { ok: true; filter: Filter }
  | { ok: false; status: 409 | 422; detail: string };

/**
 * Applies a delta. Adding to `["*"]` changes nothing, adding `"*"` means everything, removing from `["*"]` is a
 * conflict (409), and a value both added and removed is invalid (422). Adding a value that the list has, or
 * removing one that it does not have, is not an error. A condition in the delta replaces that of the filter; its text
 * has been checked.
 */
export function applyDelta(filter: Filter, delta: FilterDelta, stream: StreamName): Edited {
  const next: Filter = { ...filter };
  for (const list of LISTS) {
    const add: string[] = delta.add[list] ?? [];
    const remove: string[] = delta.remove[list] ?? [];
    const both = add.find((value) => remove.includes(value));
    if (both !== undefined) {
      return { ok: false, status: 422, detail: `${list}: "${both}" is both added and removed` };
    }
    if (remove.length > 0 && filter[list][0] === '*') {
      return {
        ok: false,
        status: 409,
        detail: `${list} is ["*"] (all); replace the list with values before you remove one`,
      };
    }
    if (list === 'event_types' && stream === 'records' && add.some((value) => value !== '*')) {
      return { ok: false, status: 422, detail: 'event_types must be ["*"] on the records stream' };
    }
    next[list] = edited(filter[list], add, remove);
    if (next[list].length > 10_000) {
      return { ok: false, status: 422, detail: `${list} would hold more than 10,000 values` };
    }
  }
  if (delta.where !== undefined) next.where = delta.where;
  return { ok: true, filter: filterOf(next) };
}

function edited(list: string[], add: string[], remove: string[]): string[] {
  if (list[0] === '*' || add.includes('*')) return ['*'];
  const values = new Set(list);
  for (const value of add) values.add(value);
  for (const value of remove) values.delete(value);
  return [...values];
}

/** Whether two filters have lists of the same values, in any order, and the same condition. */
export function sameFilter(a: Filter, b: Filter): boolean {
  if (whereOf(a) !== whereOf(b)) return false;
  return LISTS.every((list) => {
    const values = new Set(a[list]);
    return values.size === new Set(b[list]).size && b[list].every((value) => values.has(value));
  });
}

/** Describes a filter for people: `3 syncs, all collections, created|deleted`. */
export function describeFilter(filter: Filter): string {
  const count = (list: string[], noun: string): string =>
    list[0] === '*' ? `all ${noun}s` : `${list.length} ${noun}${list.length === 1 ? '' : 's'}`;
  const types = filter.event_types[0] === '*' ? 'all event types' : filter.event_types.join('|');
  const lists = `${count(filter.syncs, 'sync')}, ${count(filter.collections, 'collection')}, ${types || 'no event type'}`;
  return whereOf(filter) === null ? lists : `${lists}, with a condition`;
}

import { compile, type Matchable, type Matcher } from '../rules/filter.ts';
import { inForce, type FilterVersion } from '../rules/filterVersions.ts';
import type { Filter } from '../schema/consumer.ts';

/** The filter versions of a running sender, and the positions at which it put new ones into force. */
export interface FilterStack {
  /** Takes over the versions; one that no sender has put into force yet applies above `readTo`. */
  add(filters: FilterVersion[], readTo: number): void;
  /** Whether an entry passes every version that applies to its position. */
  passes(entry: Matchable & { position: number }): boolean;
  /** Whether an entry passes the newest version, whatever its position. */
  matches(entry: Matchable): boolean;
  /** The filter with which to read on above `after`, and the last position to read with it (null: no end). */
  reading(after: number): { filter: Filter; until: number | null };
  /** The syncs whose entries may pass; null: any sync. */
  readonly syncs: readonly string[] | null;
  /** The collections whose entries may pass; null: any collection. */
  readonly collections: readonly string[] | null;
  /** The only sync whose entries may pass; null: there are several. */
  readonly onlySync: string | null;
  /** The position above which the newest version applies. */
  readonly filterFrom: number;
}

/** Creates the stack from a consumer's versions, of which there is at least one. */
export function createFilterStack(filters: FilterVersion[], readTo: number): FilterStack {
  const taken = new Map<number, number>();
  let versions: FilterVersion[] = [];
  const compiled = new Map<Filter, Matcher>();
  let onlySync: string | null = null;
  let newest: { from: number; matches: Matcher } = { from: 0, matches: () => false };
  add(filters, readTo);

  function add(next: FilterVersion[], at: number): void {
    versions = next.map((one) => {
      if (one.filterFrom !== null) return one;
      const from = taken.get(one.version) ?? at;
      taken.set(one.version, from);
      return { ...one, filterFrom: from };
    });
    const last = versions.at(-1);
    if (last === undefined) throw new Error('a consumer has at least one filter version');
    compiled.clear();
    for (const { filter } of versions) compiled.set(filter, compile(filter));
    const [first = '*', ...more] = last.filter.syncs;
    onlySync = first === '*' || more.length > 0 ? null : first;
    newest = { from: last.filterFrom ?? 0, matches: matcherOf(last.filter) };
  }

  function passes(entry: Matchable & { position: number }): boolean {
    if (!newest.matches(entry)) return false;
    if (entry.position > newest.from) return true;
    const { filter, also } = inForce(versions, entry.position - 1);
    return [filter, ...also].every((one) => matcherOf(one)(entry));
  }

  function matcherOf(filter: Filter): Matcher {
    const matcher = compiled.get(filter) ?? compile(filter);
    compiled.set(filter, matcher);
    return matcher;
  }

  return {
    add,
    passes,
    matches: (entry) => newest.matches(entry),
    reading: (after) => {
      const { filter, until } = inForce(versions, after);
      return { filter, until };
    },
    get syncs() {
      return named(versions.at(-1)?.filter.syncs);
    },
    get collections() {
      return named(versions.at(-1)?.filter.collections);
    },
    get onlySync() {
      return onlySync;
    },
    get filterFrom() {
      return newest.from;
    },
  };
}

function named(values: readonly string[] = []): readonly string[] | null {
  return values.includes('*') ? null : values;
}

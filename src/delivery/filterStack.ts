import { inTurn, type Turn } from '../flow/turn.ts';
import { compile, whereOf, type Matchable } from '../rules/filter.ts';
import { inForce, type FilterVersion } from '../rules/filterVersions.ts';
import type { Filter } from '../schema/consumer.ts';
import type { CompileCondition, ConditionEntry, Satisfies } from './conditions.ts';

/** The parts of an entry that a filter looks at. Its body is empty where it is not in memory. */
export type Filtered = Matchable & Partial<ConditionEntry>;

/** The filter versions of a running sender, and the positions at which it put new ones into force. */
export interface FilterStack {
  /** Takes over the versions; one that no sender has put into force yet applies above `readTo`. */
  add(filters: FilterVersion[], readTo: number): void;
  /** Whether an entry passes every version that applies to its position. */
  passes(entry: Matchable & ConditionEntry): boolean;
  /** Whether an entry passes the newest version, whatever its position. What is without a body satisfies any condition. */
  matches(entry: Filtered): boolean;
  /**
   * Evaluates the new conditions of these versions on entries that have passed so far, with turns for other work in
   * between, so that `passes` takes no time for them once the versions are added.
   */
  prepare(
    filters: FilterVersion[],
    entries: readonly (Matchable & ConditionEntry)[],
    turn: Turn,
  ): Promise<void>;
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
  /** Whether any version has a condition, so that `passes` may take milliseconds. */
  readonly hasCondition: boolean;
}

/** What decides for one version: its lists, and its condition if it has one. */
interface Matchers {
  lists: (entry: Matchable) => boolean;
  satisfies: Satisfies | null;
}

/** Creates the stack from a consumer's versions, of which there is at least one. */
export function createFilterStack(
  filters: FilterVersion[],
  readTo: number,
  compileCondition: CompileCondition = withoutConditions,
): FilterStack {
  const taken = new Map<number, number>();
  let versions: FilterVersion[] = [];
  const compiled = new Map<Filter, Matchers>();
  let conditions = new Map<string, Satisfies>();
  const prepared = new Map<string, WeakMap<object, boolean>>();
  let onlySync: string | null = null;
  let newest: { from: number } & Matchers = { from: 0, lists: () => false, satisfies: null };
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
    conditions = new Map();
    for (const { filter } of versions) compiled.set(filter, matchersOf(filter, last.version));
    prepared.clear();
    const [first = '*', ...more] = last.filter.syncs;
    onlySync = first === '*' || more.length > 0 ? null : first;
    newest = { from: last.filterFrom ?? 0, ...matchersOf(last.filter, last.version) };
  }

  function passes(entry: Matchable & ConditionEntry): boolean {
    if (!newest.lists(entry)) return false;
    if (entry.position > newest.from) {
      return newest.satisfies === null || newest.satisfies(entry);
    }
    const { filter, also } = inForce(versions, entry.position - 1);
    const all = [filter, ...also].map(compiledOf);
    if (!all.every(({ lists }) => lists(entry))) return false;
    const asked = new Set(all.map(({ satisfies }) => satisfies));
    return [...asked].every((satisfies) => satisfies === null || satisfies(entry));
  }

  function matches(entry: Filtered): boolean {
    if (!newest.lists(entry)) return false;
    const { satisfies } = newest;
    if (satisfies === null || entry.body === undefined || entry.body === '') return true;
    return satisfies(entry as ConditionEntry);
  }

  async function prepare(
    next: FilterVersion[],
    entries: readonly (Matchable & ConditionEntry)[],
    turn: Turn,
  ): Promise<void> {
    const newestVersion = next.at(-1)?.version ?? 0;
    for (const [where, of] of Map.groupBy(next, ({ filter }) => whereOf(filter))) {
      if (where === null) continue;
      const lists = of.map(({ filter }) => compile(filter));
      const satisfies = conditions.has(where) ? null : compileCondition(where, newestVersion);
      const found = prepared.get(where) ?? new WeakMap<object, boolean>();
      prepared.set(where, found);
      for (const entry of entries) {
        if (found.has(entry) || !lists.some((passesLists) => passesLists(entry))) continue;
        await inTurn(turn, () => {
          if (entry.body === '') return; // let go meanwhile
          found.set(entry, satisfies === null || satisfies(entry)); // null: it has been asked already
        });
      }
    }
  }

  function matchersOf(filter: Filter, version: number): Matchers {
    const where = whereOf(filter);
    return {
      lists: compile(filter),
      satisfies: where === null ? null : conditionOf(where, version),
    };
  }

  /** Versions with the same condition share it, so that it is evaluated once. */
  function conditionOf(where: string, version: number): Satisfies {
    const known = conditions.get(where);
    if (known !== undefined) return known;
    const evaluate = compileCondition(where, version);
    const found = prepared.get(where);
    const satisfies: Satisfies =
      found === undefined ? evaluate : (entry) => found.get(entry) ?? evaluate(entry);
    conditions.set(where, satisfies);
    return satisfies;
  }

  function compiledOf(filter: Filter): Matchers {
    const known = compiled.get(filter) ?? matchersOf(filter, versions.at(-1)?.version ?? 0);
    compiled.set(filter, known);
    return known;
  }

  return {
    add,
    passes,
    matches,
    prepare,
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
    get hasCondition() {
      return conditions.size > 0;
    },
  };
}

function withoutConditions(where: string): Satisfies {
  throw new Error(`this process evaluates no conditions: ${where}`);
}

function named(values: readonly string[] = []): readonly string[] | null {
  return values.includes('*') ? null : values;
}

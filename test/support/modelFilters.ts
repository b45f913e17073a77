import { applyDelta, compile } from '../../src/rules/filter.ts';
import type { Filter, FilterDelta } from '../../src/schema/consumer.ts';
import type { StreamName } from '../../src/schema/stream.ts';

/** Five records; a name in a step is made the life's own by its prefix. */
export const RECORDS = [
  { sync: 'a', collection: 'm:x' },
  { sync: 'a', collection: 'm:y' },
  { sync: 'b', collection: 'm:x' },
  { sync: 'b', collection: 'm:y' },
  { sync: 'a', collection: 'm:x' },
] as const;

export interface Filtered {
  position: number;
  record: number;
  event: string | null;
}

/** The filter versions since the last seek, and what they say of an entry. */
export interface ModelFilters {
  /** Where the last seek has led; everything up to here need not come. */
  readonly start: number;
  /** When the newest version came into force. */
  readonly editedAt: number;
  /** An entry passes its own filter version and every later one, or need not come. */
  verdictOf(entry: Filtered): 'must' | 'may' | 'never';
  passesNewest(entry: Filtered): boolean;
  /** The newest version changed by `delta` is in force above `from`. */
  edit(delta: FilterDelta, from: number): void;
  /** A seek leaves only the newest version, from its place on. */
  seek(to: number): void;
}

export function createModelFilters(options: {
  filter: Filter;
  stream: StreamName;
  /** A sync's name in this life. */
  name: (sync: string) => string;
}): ModelFilters {
  const { filter, stream, name } = options;
  let versions = [{ from: 0, filter }];
  let start = 0;
  let editedAt = 0;

  const newest = (): Filter => versions.at(-1)?.filter ?? filter;

  function passes(by: Filter, { record, event }: Filtered): boolean {
    const { sync, collection } = RECORDS[record] ?? RECORDS[0];
    return compile(by)({ syncId: name(sync), collectionId: collection, event });
  }

  function verdictOf(entry: Filtered): 'must' | 'may' | 'never' {
    const passed = versions.map((one) => passes(one.filter, entry));
    if (entry.position <= start) return passed.every(Boolean) ? 'must' : 'may';
    const own = Math.max(
      0,
      versions.findLastIndex((one) => one.from < entry.position),
    );
    if (passed[own] !== true) return 'never';
    return passed.slice(own).every(Boolean) ? 'must' : 'may';
  }

  return {
    get start() {
      return start;
    },
    get editedAt() {
      return editedAt;
    },
    verdictOf,
    passesNewest: (entry) => passes(newest(), entry),
    edit: (delta, from) => {
      editedAt = Date.now();
      const edited = applyDelta(newest(), delta, stream);
      if (edited.ok && JSON.stringify(edited.filter) !== JSON.stringify(newest()))
        versions.push({ from, filter: edited.filter });
    },
    seek: (to) => {
      start = to;
      versions = [{ from: start, filter: newest() }];
    },
  };
}

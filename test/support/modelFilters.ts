import { applyDelta, compile, sameFilter, whereOf } from '../../src/rules/filter.ts';
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
  /** The number in its data. */
  n: number;
}

/** Conditions over the variable of the stream, and what they say of an entry; of the last one an evaluation fails. */
export const CONDITIONS: Record<string, (entry: Pick<Filtered, 'n' | 'record'>) => boolean> = {
  '$.data.n % 2 == 0': ({ n }) => n % 2 === 0,
  '$.data.n > 6': ({ n }) => n > 6,
  '$.upstream_id.endsWith("r1") || $.data.n < 4': ({ n, record }) => record === 1 || n < 4,
  '$.data.n != 5 || $.data.missing': ({ n }) => n !== 5,
  '$.data.missing > $.data.n': () => false,
};

/** A condition of `CONDITIONS` as the consumer of a stream has it. */
export function conditionOn(stream: StreamName, text: string): string {
  return text.replaceAll('$', stream === 'events' ? 'event' : 'record');
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
  const conditions = new Map(
    Object.entries(CONDITIONS).map(([text, holds]) => [conditionOn(stream, text), holds]),
  );

  function passes(by: Filter, entry: Filtered): boolean {
    const { record, event } = entry;
    const { sync, collection } = RECORDS[record] ?? RECORDS[0];
    if (!compile(by)({ syncId: name(sync), collectionId: collection, event })) return false;
    const where = whereOf(by);
    if (where === null) return true;
    const holds = conditions.get(where);
    if (holds === undefined) throw new Error(`no condition of this model: ${where}`);
    return holds(entry);
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
      if (edited.ok && !sameFilter(edited.filter, newest()))
        versions.push({ from, filter: edited.filter });
    },
    seek: (to) => {
      start = to;
      versions = [{ from: start, filter: newest() }];
    },
  };
}

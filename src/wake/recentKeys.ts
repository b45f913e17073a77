import type { Matcher } from '../rules/filter.ts';
import type { EntryKey } from '../streams/entry.ts';

/** The keys of the newest entries that a leader has matched: all of those above some position. */
export interface RecentKeys {
  /** Starts again: nothing up to `position` is known. */
  begin(position: number): void;
  /** Adds the next keys, in order. */
  add(keys: readonly EntryKey[]): void;
  /** The first position above `after` whose entry matches; null: there is none; undefined: this is not known. */
  first(after: number, matches: Matcher): number | null | undefined;
}

const MOST = 20_000;
/** A longer search is left to Postgres, which has indexes for it. */
const MOST_LOOKED_AT = 2_000;

/** Creates a memory of up to 25,000 keys. */
export function createRecentKeys(): RecentKeys {
  let keys: EntryKey[] = [];
  let from = Infinity; // `keys` holds all above it

  function add(next: readonly EntryKey[]): void {
    for (const key of next) keys.push(key);
    if (keys.length < MOST * 1.25) return;
    const dropped = keys.length - MOST;
    from = keys[dropped - 1]?.position ?? from;
    keys = keys.slice(dropped);
  }

  function first(after: number, matches: Matcher): number | null | undefined {
    if (after < from) return undefined;
    let index = keys.length;
    while (index > 0 && (keys[index - 1]?.position ?? 0) > after) {
      index -= 1;
      if (keys.length - index > MOST_LOOKED_AT) return undefined;
    }
    for (; index < keys.length; index += 1) {
      const key = keys[index];
      if (key !== undefined && matches(key)) return key.position;
    }
    return null;
  }

  return {
    begin: (position) => {
      keys = [];
      from = position;
    },
    add,
    first,
  };
}

import { compile, type Matchable, type Matcher } from '../rules/filter.ts';
import type { Filter } from '../schema/consumer.ts';

/** An idle consumer whose filter the leader watches. */
export interface WatchedConsumer {
  consumerId: string;
  filterVersion: number;
  filter: Filter;
  /** Only entries above this position are matched for it. */
  position: number;
}

interface Indexed extends WatchedConsumer {
  matches: Matcher;
}

/**
 * Finds the idle consumers whose filters let an entry through, by inverted indexes: from sync to consumers;
 * from collection to consumers, for filters with any sync; and a list of the rest. The cost of an entry does
 * not grow with the number of indexed consumers that it is not for.
 */
export interface WakeIndex {
  add(watched: WatchedConsumer): void;
  remove(consumerId: string): void;
  /** The watched consumers whose filters let the entry through. */
  match(entry: Matchable & { position: number }): WatchedConsumer[];
  readonly size: number;
}

/** Creates an empty index. */
export function createWakeIndex(): WakeIndex {
  const all = new Map<string, Indexed>();
  const bySync = new Map<string, Set<Indexed>>();
  const byCollection = new Map<string, Set<Indexed>>();
  const rest = new Set<Indexed>();

  function places(watched: Indexed): [Map<string, Set<Indexed>>, string[]] | null {
    const { syncs, collections } = watched.filter;
    if (syncs[0] !== '*') return [bySync, syncs];
    if (collections[0] !== '*') return [byCollection, collections];
    return null;
  }

  function add(watched: WatchedConsumer): void {
    remove(watched.consumerId);
    const indexed = { ...watched, matches: compile(watched.filter) };
    all.set(watched.consumerId, indexed);
    const found = places(indexed);
    if (found === null) {
      rest.add(indexed);
      return;
    }
    const [index, values] = found;
    for (const value of values) {
      const set = index.get(value);
      if (set === undefined) index.set(value, new Set([indexed]));
      else set.add(indexed);
    }
  }

  function remove(consumerId: string): void {
    const indexed = all.get(consumerId);
    if (indexed === undefined) return;
    all.delete(consumerId);
    rest.delete(indexed);
    const [index, values] = places(indexed) ?? [bySync, []];
    for (const value of values) {
      const set = index.get(value);
      set?.delete(indexed);
      if (set?.size === 0) index.delete(value);
    }
  }

  function match(entry: Matchable & { position: number }): WatchedConsumer[] {
    const found: WatchedConsumer[] = [];
    const look = (candidates: Iterable<Indexed> | undefined): void => {
      for (const one of candidates ?? []) {
        if (entry.position > one.position && one.matches(entry)) found.push(one);
      }
    };
    look(bySync.get(entry.syncId));
    look(byCollection.get(entry.collectionId));
    look(rest);
    return found;
  }

  return {
    add,
    remove,
    match,
    get size() {
      return all.size;
    },
  };
}

/** The drains that follow a tail. Each is called when the tail has read entries that the drain may have to send. */
export interface Followers {
  /** Adds `call` for entries of these syncs, or if they are null of these collections; the returned function removes it. */
  add(call: Call, syncs: Keys, collections?: Keys): () => void;
  /** Calls each follower that may have to send one of the entries, once; they were read after `before`. */
  tell(read: readonly Told[], before: number): void;
  /** Calls every follower, once, with 0. */
  tellAll(): void;
  readonly size: number;
  /** Whether there is an entry for which any of them would be called. */
  readonly callable: boolean;
  clear(): void;
}

/** Which values of a key there are; null: any. */
export type Keys = readonly string[] | null;

/** The keys of an entry by which its followers are found. */
interface Told {
  syncId: string;
  collectionId: string;
}

/**
 * Called with the position up to which everything had been read before. If a follower was not called for an
 * entry since it was added, it does not have to send it.
 */
export type Call = (before: number) => void;

/** A follower of more syncs or collections than this is called for entries of any, so that its list costs nothing. */
const MAX_KEYS = 100;
const NONE: readonly Call[] = [];

/** Creates an empty set of followers. Those of an entry are found by its sync or collection; the others cost nothing. */
export function createFollowers(): Followers {
  const all = new Set<Call>();
  const ofAny = new Set<Call>();
  const bySync = new Map<string, Set<Call>>();
  const byCollection = new Map<string, Set<Call>>();

  function add(call: Call, syncs: Keys, collections: Keys = null): () => void {
    const follower: Call = (before) => call(before); // a new one, as the same `call` may be added again before it is removed
    all.add(follower);
    const named = few(syncs);
    const keys = named ?? few(collections);
    if (keys === null) {
      ofAny.add(follower);
      return () => remove(follower, bySync, []);
    }
    const index = named === null ? byCollection : bySync;
    for (const key of keys) {
      const others = index.get(key) ?? new Set();
      index.set(key, others.add(follower));
    }
    return () => remove(follower, index, keys);
  }

  function remove(follower: Call, index: Map<string, Set<Call>>, keys: readonly string[]): void {
    all.delete(follower);
    ofAny.delete(follower);
    for (const key of keys) {
      const others = index.get(key);
      others?.delete(follower);
      if (others?.size === 0) index.delete(key);
    }
  }

  function tell(read: readonly Told[], before: number): void {
    for (const follower of ofAny) follower(before);
    if (bySync.size + byCollection.size === 0) return;
    const told = new Set<Call>();
    for (const { syncId, collectionId } of read) {
      for (const follower of bySync.get(syncId) ?? NONE) told.add(follower);
      for (const follower of byCollection.get(collectionId) ?? NONE) told.add(follower);
    }
    for (const follower of told) follower(before);
  }

  function tellAll(): void {
    for (const follower of all) follower(0);
  }

  function clear(): void {
    all.clear();
    ofAny.clear();
    bySync.clear();
    byCollection.clear();
  }

  return {
    add,
    tell,
    tellAll,
    get size() {
      return all.size;
    },
    get callable() {
      return ofAny.size + bySync.size + byCollection.size > 0;
    },
    clear,
  };
}

function few(keys: Keys): Keys {
  return keys !== null && keys.length > MAX_KEYS ? null : keys;
}

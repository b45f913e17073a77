/** The drains that follow a tail. Each is called when the tail has read entries that the drain may have to send. */
export interface Followers {
  /** Adds `call` for entries of these syncs (null: of any sync); the returned function removes it. */
  add(call: Call, syncs: readonly string[] | null): () => void;
  /** Calls each follower that may have to send one of the entries, once; they were read after `before`. */
  tell(read: readonly { syncId: string }[], before: number): void;
  /** Calls every follower, once, with 0. */
  tellAll(): void;
  readonly size: number;
  /** Whether there is an entry for which any of them would be called. */
  readonly callable: boolean;
  clear(): void;
}

/**
 * Called with the position up to which everything had been read before. If a follower was not called for an
 * entry since it was added, it does not have to send it.
 */
export type Call = (before: number) => void;

/** A follower of more syncs than this is called for entries of any sync, so that its list costs nothing. */
const MAX_SYNCS = 100;
const NONE: readonly Call[] = [];

/** Creates an empty set of followers. Those of an entry are found by its sync; the others cost nothing. */
export function createFollowers(): Followers {
  const all = new Set<Call>();
  const ofAny = new Set<Call>();
  const bySync = new Map<string, Set<Call>>();

  function add(call: Call, syncs: readonly string[] | null): () => void {
    const follower: Call = (before) => call(before); // a new one, as the same `call` may be added again before it is removed
    const named = syncs === null || syncs.length > MAX_SYNCS ? null : syncs;
    all.add(follower);
    if (named === null) ofAny.add(follower);
    for (const sync of named ?? []) {
      const others = bySync.get(sync) ?? new Set();
      bySync.set(sync, others.add(follower));
    }
    return () => remove(follower, named ?? []);
  }

  function remove(follower: Call, syncs: readonly string[]): void {
    all.delete(follower);
    ofAny.delete(follower);
    for (const sync of syncs) {
      const others = bySync.get(sync);
      others?.delete(follower);
      if (others?.size === 0) bySync.delete(sync);
    }
  }

  function tell(read: readonly { syncId: string }[], before: number): void {
    for (const follower of ofAny) follower(before);
    if (bySync.size === 0) return;
    const told = new Set<Call>();
    for (const { syncId } of read) {
      for (const follower of bySync.get(syncId) ?? NONE) told.add(follower);
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
  }

  return {
    add,
    tell,
    tellAll,
    get size() {
      return all.size;
    },
    get callable() {
      return ofAny.size > 0 || bySync.size > 0;
    },
    clear,
  };
}

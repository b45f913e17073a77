/** The drains that follow a tail, each called when entries have been read that may be for it. */
export interface Followers {
  /** Adds `call` for entries of these syncs (null: of any); the returned function removes it. */
  add(call: () => void, syncs: readonly string[] | null): () => void;
  /** Calls each follower that an entry may be for, once, though several entries may be. */
  tell(read: readonly { syncId: string }[]): void;
  /** Calls every follower, once. */
  tellAll(): void;
  readonly size: number;
  clear(): void;
}

/** A follower of more syncs than these is called for any, so that its list costs nothing. */
const MAX_SYNCS = 100;
const NONE: readonly (() => void)[] = [];

/** Finds the followers of an entry by its sync, so that the others cost nothing. */
export function createFollowers(): Followers {
  const all = new Set<() => void>();
  const ofAny = new Set<() => void>();
  const bySync = new Map<string, Set<() => void>>();

  function add(call: () => void, syncs: readonly string[] | null): () => void {
    const follower = (): void => call(); // its own: the same `call` may come again before it leaves
    const named = syncs === null || syncs.length > MAX_SYNCS ? null : syncs;
    all.add(follower);
    if (named === null) ofAny.add(follower);
    for (const sync of named ?? []) {
      const others = bySync.get(sync) ?? new Set();
      bySync.set(sync, others.add(follower));
    }
    return () => remove(follower, named ?? []);
  }

  function remove(follower: () => void, syncs: readonly string[]): void {
    all.delete(follower);
    ofAny.delete(follower);
    for (const sync of syncs) {
      const others = bySync.get(sync);
      others?.delete(follower);
      if (others?.size === 0) bySync.delete(sync);
    }
  }

  function tell(read: readonly { syncId: string }[]): void {
    for (const follower of ofAny) follower();
    if (bySync.size === 0) return;
    const told = new Set<() => void>();
    for (const { syncId } of read) {
      for (const follower of bySync.get(syncId) ?? NONE) told.add(follower);
    }
    for (const follower of told) follower();
  }

  function tellAll(): void {
    for (const follower of all) follower();
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
    clear,
  };
}

/** The open requests and the memory that all drains of a process share. */
export interface Budget {
  /** Takes one open request. When none is left it returns false, and calls `wake` once it is its turn. */
  reserve(wake: () => void): boolean;
  /** Gives one back, and wakes the drain that has waited longest. */
  release(): void;
  /** Whether more entries may be read into memory. */
  readonly roomToRead: boolean;
  /** Counts bytes read into memory; a negative number counts bytes that are no longer held. */
  hold(bytes: number): void;
}

/** Shares open requests round-robin, and limits the bytes that all sliding windows hold together. */
export function createBudget(limits: { requests: number; bytes: number }): Budget {
  const waiting = new Set<() => void>();
  let requests = 0;
  let bytes = 0;

  return {
    reserve: (wake) => {
      if (requests >= limits.requests) {
        waiting.add(wake);
        return false;
      }
      requests += 1;
      return true;
    },
    release: () => {
      requests -= 1;
      const [next] = waiting;
      if (next === undefined) return;
      waiting.delete(next);
      next();
    },
    get roomToRead() {
      return bytes < limits.bytes;
    },
    hold: (more) => {
      bytes += more;
    },
  };
}

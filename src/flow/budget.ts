/** What all drains of a process share out among themselves. */
export interface Budget {
  /** Takes one open request; when none is left, `wake` is called once one is, in turn with others. */
  reserve(wake: () => void): boolean;
  release(): void;
  /** Whether more entries may be read into memory. */
  readonly roomToRead: boolean;
  hold(bytes: number): void;
}

/** Round-robin shares of open requests, and a common limit on bytes held in windows. */
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

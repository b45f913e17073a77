/** What all drains of a process share. */
export interface Budget {
  /** The requests that may be open. */
  requests: Shared;
  /** The bytes of entries that may be held: read, waiting or on their way. */
  bytes: Shared;
  /** The pages that may be read at the same time: how much one holds is known only when it has been read. */
  pages: Turns;
}

/** A resource of which a process has a limited amount. */
export interface Shared {
  /**
   * How much more of it a drain that holds `held` may take. Each drain may hold an eighth of what the others
   * leave, so that even drains which take all they may, and keep it, leave something for the next one. A drain
   * that holds nothing may take at least `least`.
   */
  room(held: number): number;
  /** What a drain that holds nothing may always take, so that each makes progress; 0 once all is taken. */
  readonly least: number;
  /** Takes some, or gives some back if `amount` is negative, which wakes the drain that has waited longest. */
  take(amount: number): void;
  /** Calls `wake` once some has been given back and it is its turn. */
  wait(wake: () => void): void;
  /** How much is taken. */
  readonly taken: number;
  /** The most that was taken at any time. */
  readonly peak: number;
}

/** A limited number of turns that can be taken at the same time. */
export interface Turns {
  /** Takes a turn. When none is left it returns false, and calls `wake` once one may be free. */
  begin(wake: () => void): boolean;
  /** Gives a turn back, and wakes those that have waited longest. */
  end(): void;
}

/** How much of each resource a process has. */
export interface BudgetLimits {
  requests: number;
  bytes: number;
}

/** An entry takes its bytes twice: as text, and as the body of its request, which is kept until it is answered. */
export const TIMES = 2;
/** The part of what the other drains leave that one drain may hold. */
const PART = 1 / 8;
/** The part of the whole that is shared out like this; the rest is for drains that hold nothing. */
const SHARED_OUT = 3 / 4;
/** What a drain that holds nothing may read: several small entries, or one that is larger. */
const LEAST_BYTES = 16 * 1024;
const PAGES = 4;

/** Creates a budget of which nothing is taken. */
export function createBudget({ requests, bytes }: BudgetLimits): Budget {
  return {
    requests: createShared(requests, 1),
    bytes: createShared(bytes, LEAST_BYTES),
    pages: createTurns(PAGES),
  };
}

function createShared(limit: number, ration: number): Shared {
  const waiting = new Set<() => void>();
  let taken = 0;
  let peak = 0;
  const least = (): number => (taken < limit ? ration : 0);
  return {
    room: (held) => {
      const part = PART * (SHARED_OUT * limit - taken + held) - held;
      return Math.max(held === 0 ? least() : 0, part);
    },
    get least() {
      return least();
    },
    take: (amount) => {
      taken += amount;
      if (taken > peak) peak = taken;
      if (amount >= 0 || waiting.size === 0) return;
      const next = waiting.values().next().value!;
      waiting.delete(next);
      next();
    },
    wait: (wake) => void waiting.add(wake),
    get taken() {
      return taken;
    },
    get peak() {
      return peak;
    },
  };
}

function createTurns(most: number): Turns {
  const waiting = new Set<() => void>();
  let open = 0;
  return {
    begin: (wake) => {
      if (open >= most) {
        waiting.add(wake);
        return false;
      }
      open += 1;
      return true;
    },
    end: () => {
      open -= 1;
      // A drain that was woken may have no use for its turn any more; then the next one gets it.
      for (const wake of waiting) {
        if (open >= most) return;
        waiting.delete(wake);
        wake();
      }
    },
  };
}

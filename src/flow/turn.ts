/** So long a process does costly work before other work gets its turn, ms. */
const TURN_MS = 20;

/**
 * The time that all senders of a process together may spend on costly work before other work gets its turn. Each alone
 * would take little of it, but there may be thousands.
 */
export interface Turn {
  /** Whether it is over; what is left to do is then continued by `later`. */
  isOver(): boolean;
  /** Calls `run` in a later turn, after those that asked before; the returned function takes that back. */
  later(run: () => void): () => void;
}

/** Does a piece of costly work, in a later turn if this one is over; waits of that kind end in their order. */
export function inTurn<T>(turn: Turn, work: () => T): T | Promise<T> {
  if (!turn.isOver()) return work();
  return new Promise((resolve, reject) => {
    // Within the turn itself: once the promise is awaited, others may have begun with what they waited for.
    turn.later(() => {
      try {
        resolve(work());
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** Creates it; a turn begins when it is first asked about. */
export function createTurn(): Turn {
  let endsAt: number | null = null; // monotonic ms; null: none has begun
  const waiting = new Set<() => void>();

  function begin(): number {
    endsAt = performance.now() + TURN_MS;
    setImmediate(next);
    return endsAt;
  }

  function next(): void {
    if (waiting.size === 0) {
      endsAt = null;
      return;
    }
    const until = begin();
    for (const run of waiting) {
      waiting.delete(run);
      run();
      if (performance.now() > until) return;
    }
  }

  return {
    isOver: () => performance.now() > (endsAt ?? begin()),
    later: (run) => {
      const own = (): void => run(); // a new one, as the same may be asked for twice
      waiting.add(own);
      if (endsAt === null) begin();
      return () => void waiting.delete(own);
    },
  };
}

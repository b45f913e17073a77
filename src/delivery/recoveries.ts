/** The senders of a process that wait for the end of an outage, by the target that they can't reach. */
export interface Recoveries {
  /** Notes that a sender waits; `wake` makes it try its head without waiting. A second call has no effect. */
  join(targetId: string, wake: () => void): void;
  /** Notes that a sender no longer waits. */
  leave(wake: () => void): void;
  /** Notes that a sender has reached the target again: the next two that wait for it try as well. */
  reached(targetId: string): void;
}

/** So many senders are woken by each success, so that their number doubles with each round trip. */
const WOKEN = 2;

/**
 * Creates the recoveries without a sender. When a target is back, the first success wakes two of the senders
 * that wait for it, each of these two more, and so on: all continue within seconds, however late their next
 * attempts are, and the target does not get all of them in one moment.
 */
export function createRecoveries(): Recoveries {
  const waiting = new Map<string, Set<() => void>>();
  const targets = new Map<() => void, string>();

  function leave(wake: () => void): void {
    const targetId = targets.get(wake);
    if (targetId === undefined) return;
    targets.delete(wake);
    const others = waiting.get(targetId);
    others?.delete(wake);
    if (others?.size === 0) waiting.delete(targetId);
  }

  return {
    join: (targetId, wake) => {
      if (targets.get(wake) === targetId) return;
      leave(wake);
      targets.set(wake, targetId);
      const others = waiting.get(targetId) ?? new Set();
      waiting.set(targetId, others.add(wake));
    },
    leave,
    reached: (targetId) => {
      const woken = waiting.get(targetId)?.values().take(WOKEN).toArray() ?? [];
      for (const wake of woken) leave(wake);
      for (const wake of woken) wake();
    },
  };
}

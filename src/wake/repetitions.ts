/**
 * When a signal that was sent is sent again. Temporal keeps one that it took, so a repetition only
 * guards against the unforeseen, and many of them would slow the wakes that wait: after 5 s,
 * doubling to a minute. One that Temporal did not take is repeated after a second. Times are ms.
 */
export interface Repetitions {
  /** Whether the consumer's signal is to be sent at `now`: it never was, or long enough ago. */
  isDue(consumerId: string, now: number): boolean;
  sent(consumerId: string, now: number): void;
  notTaken(consumerId: string, now: number): void;
  /** It wants something new: its next signal counts as the first. */
  forget(consumerId: string): void;
  /** Forgets all that do not want anything any more. */
  keep(wanting: ReadonlySet<string>): void;
}

interface Sent {
  at: number;
  /** Until it is repeated. */
  waitMs: number;
}

const FIRST_MS = 5_000;
const LAST_MS = 60_000;
const NOT_TAKEN_MS = 1_000;

/** Remembers the last signal of each consumer that still wants something. */
export function createRepetitions(): Repetitions {
  const last = new Map<string, Sent>();

  function isDue(consumerId: string, now: number): boolean {
    const sent = last.get(consumerId);
    return sent === undefined || now >= sent.at + sent.waitMs;
  }

  function sent(consumerId: string, now: number): void {
    const before = last.get(consumerId);
    const waitMs = before === undefined ? FIRST_MS : Math.min(before.waitMs * 2, LAST_MS);
    last.set(consumerId, { at: now, waitMs });
  }

  function notTaken(consumerId: string, now: number): void {
    last.set(consumerId, { at: now, waitMs: NOT_TAKEN_MS });
  }

  function keep(wanting: ReadonlySet<string>): void {
    for (const consumerId of last.keys()) {
      if (!wanting.has(consumerId)) last.delete(consumerId);
    }
  }

  return { isDue, sent, notTaken, forget: (consumerId) => void last.delete(consumerId), keep };
}

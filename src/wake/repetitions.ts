/**
 * Decides when a signal that was sent is sent again. Temporal keeps a signal that it has accepted, so a
 * repetition only guards against the unforeseen, and many of them would slow down the wakes that wait. It comes
 * after 5 s, then after twice as long each time, up to a minute. A signal that Temporal did not accept is
 * repeated after a second. Times are ms.
 */
export interface Repetitions {
  /** Whether to send the consumer's signal at `now`: it was never sent, or long enough ago. */
  isDue(consumerId: string, now: number): boolean;
  /** Whether Temporal accepted the last signal, so that the next one is only a repetition. */
  isRepetition(consumerId: string): boolean;
  /** Notes that Temporal accepted the signal. */
  sent(consumerId: string, now: number): void;
  /** Notes that Temporal did not accept the signal. */
  notTaken(consumerId: string, now: number): void;
  /** Forgets a consumer that wants another entry, so that its next signal counts as the first. */
  forget(consumerId: string): void;
  /** Forgets the consumers that no longer want an entry. */
  keep(wanting: ReadonlySet<string>): void;
}

interface Sent {
  at: number;
  /** The time until it is repeated. */
  waitMs: number;
}

const FIRST_MS = 5_000;
const LAST_MS = 60_000;
const NOT_TAKEN_MS = 1_000;

/** Creates an empty memory of the last signals. */
export function createRepetitions(): Repetitions {
  const last = new Map<string, Sent>();

  function isDue(consumerId: string, now: number): boolean {
    const sent = last.get(consumerId);
    return sent === undefined || now >= sent.at + sent.waitMs;
  }

  function isRepetition(consumerId: string): boolean {
    const sent = last.get(consumerId);
    return sent !== undefined && sent.waitMs !== NOT_TAKEN_MS;
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

  return {
    isDue,
    isRepetition,
    sent,
    notTaken,
    forget: (consumerId) => void last.delete(consumerId),
    keep,
  };
}

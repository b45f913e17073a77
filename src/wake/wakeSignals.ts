import type { PacedQueue } from './pacedQueue.ts';
import { createRepetitions } from './repetitions.ts';
import type { Page } from './rounds.ts';

/** Signals the workflows of consumers that want an entry. */
export interface WakeSignals {
  /** Signals a consumer, for which it is stored that it wants the entry at `position`, in its turn. */
  want(consumerId: string, position: number): void;
  /**
   * Looks once a second which consumers want an entry: signals those that were signalled before and
   * those of which this process does not know, and no longer those that want nothing. Of more than 2,000, each
   * look takes the next ones, so that each is looked at once in as many seconds as that takes.
   */
  sweep(): Promise<void>;
  /** Signals nothing of what waits: another process leads. What is still wanted is found by a sweep. */
  drop(): void;
}

export interface WakeSignalsOptions {
  store: {
    /** The next of the consumers that are to be signalled until they have a sender. */
    wanting(limit: number): Promise<Wanted>;
  };
  /** Signals the consumer's workflow; rejects when Temporal did not take the signal. */
  signal: (consumerId: string, wanted: number) => Promise<void>;
  /** The queue of the process, in which signals have their turns. */
  queue: Pick<PacedQueue, 'put' | 'has' | 'drop'>;
}

/** A page of those that are to be signalled, as far as that needs to be known of them. */
type Wanted = Pick<Page, 'round'> & { toSignal: { consumerId: string; wanted: number }[] };

const SWEEP_MS = 1_000;
const SWEPT_CONSUMERS = 2_000;
const KEY = 'wake ';

/** Creates the signals of a leader. A signal that fails is repeated after a later sweep. */
export function createWakeSignals({ store, signal, queue }: WakeSignalsOptions): WakeSignals {
  const repetitions = createRepetitions();
  let sweepAt = 0;
  let fresh = new Set<string>(); // those that have wanted anew since this round of looks began

  function want(consumerId: string, position: number): void {
    fresh.add(consumerId);
    repetitions.forget(consumerId);
    put(consumerId, position);
  }

  async function sweep(): Promise<void> {
    const now = performance.now();
    if (now < sweepAt) return;
    sweepAt = now + SWEEP_MS;
    const { toSignal, round } = await store.wanting(SWEPT_CONSUMERS);
    if (round !== null) {
      keep(round.union(fresh));
      fresh = new Set();
    }
    for (const { consumerId, wanted } of toSignal) {
      if (queue.has(KEY + consumerId)) continue; // with this `wanted`, or about to be repeated
      if (repetitions.isDue(consumerId, now)) put(consumerId, wanted);
    }
  }

  /** Forgets the consumers that no longer want anything: they have a sender. */
  function keep(wanting: ReadonlySet<string>): void {
    repetitions.keep(wanting);
    queue.drop((key) => key.startsWith(KEY) && !wanting.has(key.slice(KEY.length)));
  }

  function put(consumerId: string, wanted: number): void {
    queue.put({
      key: KEY + consumerId,
      isRepetition: repetitions.isRepetition(consumerId),
      act: () => send(consumerId, wanted),
    });
  }

  async function send(consumerId: string, wanted: number): Promise<void> {
    try {
      await signal(consumerId, wanted);
    } catch (error) {
      repetitions.notTaken(consumerId, performance.now());
      throw error;
    }
    repetitions.sent(consumerId, performance.now());
  }

  return {
    want,
    sweep,
    drop: () => queue.drop((key) => key.startsWith(KEY)),
  };
}

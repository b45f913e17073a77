import type { PacedQueue } from './pacedQueue.ts';
import { createRepetitions } from './repetitions.ts';
import type { Page } from './rounds.ts';

/** Signals the workflows of consumers that want an entry. */
export interface WakeSignals {
  /** Signals a consumer in its turn; it has to be stored already that the consumer wants the entry at `position`. */
  want(consumerId: string, position: number): void;
  /**
   * Queries once a second which consumers want an entry: signals again those that were signalled before,
   * signals those that this process does not know yet, and forgets those that no longer want one. If there are
   * more than 2,000, each query reads the next ones, so that all are read once in as many seconds as that
   * takes.
   */
  sweep(): Promise<void>;
  /**
   * Drops the signals that wait, because another process is the leader. A sweep finds consumers that still want
   * an entry.
   */
  drop(): void;
}

export interface WakeSignalsOptions {
  store: {
    /** The next of the consumers that are to be signalled until they have a sender. */
    wanting(limit: number): Promise<Wanted>;
  };
  /** Signals the consumer's workflow; rejects when Temporal did not accept the signal. */
  signal: (consumerId: string, wanted: number) => Promise<void>;
  /** The queue of the process, in which signals wait for their turn. */
  queue: Pick<PacedQueue, 'put' | 'has' | 'drop'>;
}

/** A page of the consumers that are to be signalled, with the data that this needs. */
type Wanted = Pick<Page, 'round'> & { toSignal: { consumerId: string; wanted: number }[] };

const SWEEP_MS = 1_000;
const SWEPT_CONSUMERS = 2_000;
const KEY = 'wake ';

/** Creates the signals of a leader. A signal that fails is repeated after a later sweep. */
export function createWakeSignals({ store, signal, queue }: WakeSignalsOptions): WakeSignals {
  const repetitions = createRepetitions();
  let sweepAt = 0;
  let fresh = new Set<string>(); // those that have wanted another entry since this round of queries began

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

  /** Forgets the consumers that no longer want an entry: they have a sender. */
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

import type { Logger } from 'pino';

import { concurrently } from '../process/concurrently.ts';
import { createRepetitions } from './repetitions.ts';

/** Signals the workflows of consumers that want an entry. */
export interface WakeSignals {
  /** Has the next round signal a consumer, for which it is stored that it wants the entry at `position`. */
  want(consumerId: string, position: number): void;
  /**
   * Begins to signal what is wanted since the last round and, once a second, what was signalled before
   * and is still wanted. It does not wait until the signals are sent.
   */
  round(): Promise<void>;
}

export interface WakeSignalsOptions {
  store: {
    /** The consumers that are to be signalled until they have a sender. */
    wanting(limit: number): Promise<{ consumerId: string; wanted: number }[]>;
  };
  /** Signals the consumer's workflow; rejects when Temporal did not take the signal. */
  signal: (consumerId: string, wanted: number) => Promise<void>;
  log: Pick<Logger, 'warn'>;
}

const SWEEP_MS = 1_000;
const SWEPT_CONSUMERS = 2_000;
/** A bound, so that many wakes do not crowd out a single one. */
const CONCURRENT_SIGNALS = 32;

/** Creates the signals of a leader. A signal that fails is logged, and repeated by a later round. */
export function createWakeSignals({ store, signal, log }: WakeSignalsOptions): WakeSignals {
  const repetitions = createRepetitions();
  const fresh = new Map<string, number>(); // wanted since the last round
  let sweepAt = 0;

  async function round(): Promise<void> {
    const now = performance.now();
    for (const consumerId of fresh.keys()) repetitions.forget(consumerId);
    const due = new Map(fresh);
    fresh.clear();
    if (now >= sweepAt) {
      sweepAt = now + SWEEP_MS;
      await sweep(due, now);
    }
    void concurrently([...due], CONCURRENT_SIGNALS, send);
  }

  /** Adds to `due` what is still wanted and whose signal is to be repeated. */
  async function sweep(due: Map<string, number>, now: number): Promise<void> {
    const wanting = await store.wanting(SWEPT_CONSUMERS);
    repetitions.keep(new Set(wanting.map((one) => one.consumerId)));
    for (const { consumerId, wanted } of wanting) {
      if (repetitions.isDue(consumerId, now)) due.set(consumerId, wanted);
    }
  }

  async function send([consumerId, wanted]: [string, number]): Promise<void> {
    repetitions.sent(consumerId, performance.now());
    try {
      await signal(consumerId, wanted);
    } catch (error) {
      repetitions.notTaken(consumerId, performance.now());
      log.warn(
        { err: error, consumer_id: consumerId },
        'a wake did not reach its workflow; it will be repeated',
      );
    }
  }

  return { want: (consumerId, position) => void fresh.set(consumerId, position), round };
}

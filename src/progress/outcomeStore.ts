import type { Logger } from 'pino';

import { isDatabaseAway } from '../db/errors.ts';
import type { Progress } from './progress.ts';
import type { Committed, SenderOutcomes } from './senderOutcomes.ts';
import { storeUntilBack } from './storeUntilBack.ts';

/** The outcomes that one sender has handed over to be stored. */
export interface HandedOver<S> {
  sender: S;
  outcomes: SenderOutcomes;
}

/** Where outcomes are stored, and what to call then. */
export interface OutcomeStoreOptions<S> {
  progress: Pick<Progress, 'commit'>;
  leaseMs: number;
  /**
   * Called once a statement sent at `sentAt` (monotonic ms) is stored; `committed` undefined: the sender is
   * fenced.
   */
  stored: (sender: S, committed: Committed | undefined, sentAt: number) => void;
  log: Pick<Logger, 'info' | 'warn' | 'error'>;
}

/** Stores the outcomes of several senders in one statement, and tries again while Postgres is away. */
export interface OutcomeStore<S> {
  /** Resolves when each sender has been notified, by `stored` or by its own `broken`. */
  store(batch: HandedOver<S>[]): Promise<void>;
  /** Gives up outcomes that cannot be stored by this time (monotonic ms) because Postgres is away. */
  endBy(at: number): void;
  /** The time given to `endBy`; Infinity before. */
  readonly endsAt: number;
  /** The consumers whose outcomes were given up. */
  readonly unstored: Set<string>;
  /** False while Postgres is away. */
  readonly healthy: boolean;
}

/** Creates the store. Outcomes that cannot be stored end only their own sender, by its `broken`. */
export function createOutcomeStore<S extends { broken(error: Error): void }>(
  options: OutcomeStoreOptions<S>,
): OutcomeStore<S> {
  const { progress, leaseMs, log } = options;
  const unstored = new Set<string>();
  let healthy = true;
  let endsAt = Infinity;

  async function store(batch: HandedOver<S>[]): Promise<void> {
    const rows = batch.map(({ outcomes }) => outcomes);
    try {
      const { answer, sentAt } = await storeUntilBack(() => progress.commit(rows, leaseMs), {
        givesUp: (triedAt) => triedAt >= endsAt,
        away,
      });
      heal();
      for (const { sender, outcomes } of batch) {
        options.stored(sender, answer.get(outcomes.consumerId), sentAt);
      }
    } catch (error) {
      if (isDatabaseAway(error)) giveUp(batch, error as Error);
      else await storeInHalves(batch, error as Error);
    }
  }

  /** Stores the outcomes in halves, so that those that cannot be stored are found and do not hold up the others. */
  async function storeInHalves(batch: HandedOver<S>[], error: Error): Promise<void> {
    const [first] = batch;
    if (batch.length > 1) {
      const middle = Math.ceil(batch.length / 2);
      await store(batch.slice(0, middle));
      await store(batch.slice(middle));
    } else if (first !== undefined) {
      const fields = { err: error, consumer_id: first.outcomes.consumerId };
      log.error(fields, 'outcomes cannot be stored');
      first.sender.broken(error);
    }
  }

  function giveUp(batch: HandedOver<S>[], error: Error): void {
    for (const { sender, outcomes } of batch) {
      unstored.add(outcomes.consumerId);
      sender.broken(error);
    }
  }

  function away(error: Error): void {
    if (healthy) {
      log.warn(
        { err: error },
        'Postgres is not available: sending stops until outcomes are stored',
      );
    }
    healthy = false;
  }

  function heal(): void {
    if (!healthy) log.info('Postgres is available again: outcomes are stored');
    healthy = true;
  }

  return {
    store,
    endBy: (at) => {
      endsAt = at;
    },
    get endsAt() {
      return endsAt;
    },
    unstored,
    get healthy() {
      return healthy;
    },
  };
}

import type { Logger } from 'pino';

import { isDatabaseAway } from '../db/errors.ts';
import type { Progress } from './progress.ts';
import type { Committed, SenderOutcomes } from './senderOutcomes.ts';
import { storeUntilBack } from './storeUntilBack.ts';

/** What one sender has handed over to be stored. */
export interface HandedOver<S> {
  sender: S;
  outcomes: SenderOutcomes;
}

export interface OutcomeStoreOptions<S> {
  progress: Pick<Progress, 'commit'>;
  leaseMs: number;
  /** Stored, in a statement that was sent at `sentAt` (monotonic ms); undefined: the sender is fenced. */
  stored: (sender: S, committed: Committed | undefined, sentAt: number) => void;
  log: Pick<Logger, 'info' | 'warn' | 'error'>;
}

/** Stores the outcomes of several senders in one statement, for as long as Postgres is away too. */
export interface OutcomeStore<S> {
  /** Resolves when each sender has been notified of what came of it: `stored`, or its `broken`. */
  store(batch: HandedOver<S>[]): Promise<void>;
  /** What can't be stored by then (monotonic ms), as Postgres is away, is given up. */
  endBy(at: number): void;
  /** Infinity until `endBy` is called. */
  readonly endsAt: number;
  /** Consumers whose outcomes were given up. */
  readonly unstored: Set<string>;
  /** False while Postgres is away. */
  readonly healthy: boolean;
}

/** Outcomes that cannot be stored end their own sender alone, by its `broken`. */
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
      else await storeSingly(batch, error as Error);
    }
  }

  /** One consumer's outcomes that cannot be stored must not hold up the others'. */
  async function storeSingly(batch: HandedOver<S>[], error: Error): Promise<void> {
    const [first] = batch;
    if (batch.length > 1) {
      for (const single of batch) await store([single]);
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
      log.warn({ err: error }, 'Postgres is away: sending stops until outcomes are stored');
    }
    healthy = false;
  }

  function heal(): void {
    if (!healthy) log.info('Postgres is back: outcomes are stored');
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

import type { ConsumerSnapshot } from '../consumers/consumerSnapshot.ts';
import type { Filter } from '../schema/consumer.ts';
import type { State } from './messages.ts';

/** What the workflow knows of its consumer. The row in Postgres is the truth. */
export interface Known {
  /** The row as it was read last, and what has been reported of it since. */
  snapshot: ConsumerSnapshot;
  filter: Filter;
  /** The filter's lists were cut to fit. */
  truncated: boolean;
  /** Until a worker has said how long the retry window is, ms. */
  firstWindowMs: number;
  /** A command wants the failing head tried without waiting. */
  retryNow: boolean;
  /** The failing head is not tried earlier, Unix ms: its last `deliver` failed by our own fault. */
  notBefore: number;
}

/**
 * The retry window as the worker that read the row last has it, ms; another setting is in force with
 * the next reading.
 */
export function windowMs({ snapshot, firstWindowMs }: Known): number {
  return snapshot.retryWindowMs ?? firstWindowMs;
}

/** The answer to the query `state`; null: the row has not been read yet. */
export function stateOf(known: Known | null): State {
  if (known === null) {
    return {
      status: 'active',
      status_reason: null,
      filter: { syncs: [], collections: [], event_types: [] },
      filter_version: 0,
      next_attempt_at: null,
      truncated: false,
    };
  }
  const { snapshot, filter, truncated } = known;
  return {
    status: snapshot.status,
    status_reason: snapshot.statusReason,
    filter,
    filter_version: snapshot.filterVersion,
    next_attempt_at: snapshot.status === 'blocked' ? snapshot.nextAttemptAt : null,
    truncated,
  };
}

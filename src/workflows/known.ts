import type { ConsumerSnapshot } from '../consumers/consumerSnapshot.ts';
import type { Filter } from '../schema/consumer.ts';
import type { State } from './messages.ts';

/** What the workflow knows about its consumer. The row in Postgres is the source of truth. */
export interface Known {
  /** The row as it was last read, with what has been reported about it since. */
  snapshot: ConsumerSnapshot;
  filter: Filter;
  /** Whether the filter's lists were cut to fit. */
  truncated: boolean;
  /** The consumer's page in the console, as a URL; older histories lack it. */
  consolePage?: string;
  /** The length of the retry window until a worker has reported it, ms. */
  firstWindowMs: number;
  /** Whether a command asks for the failing head to be tried without waiting. */
  retryNow: boolean;
  /**
   * The failing head is not tried before this time, unix ms, because its last `deliver` failed for a reason of
   * Millrace's own.
   */
  notBefore: number;
  /**
   * The lasting fault that kept the last sender from sending, as a sentence, and when it is tried again, unix
   * ms. Null: there was none, or it is being tried.
   */
  cannotStart: { reason: string; until: number } | null;
}

/**
 * The length of the retry window according to the worker that last read the row, ms. Another setting
 * is in force from the next reading on.
 */
export function windowMs({ snapshot, firstWindowMs }: Known): number {
  return snapshot.retryWindowMs ?? firstWindowMs;
}

/** The answer to the query `state`; `known` is null until the row has been read. */
export function stateOf(known: Known | null): State {
  if (known === null) {
    return {
      status: 'active',
      status_reason: null,
      filter: { syncs: [], collections: [], event_types: [] },
      filter_version: 0,
      next_attempt_at: null,
      cannot_start: null,
      truncated: false,
    };
  }
  const { snapshot, filter, truncated, cannotStart } = known;
  return {
    status: snapshot.status,
    status_reason: snapshot.statusReason,
    filter,
    filter_version: snapshot.filterVersion,
    next_attempt_at: snapshot.status === 'blocked' ? snapshot.nextAttemptAt : null,
    cannot_start: isSentTo(snapshot) ? (cannotStart?.reason ?? null) : null,
    truncated,
  };
}

/** Whether a consumer is to send; only then is a fault that prevents it worth showing. */
export function isSentTo({ status }: Pick<ConsumerSnapshot, 'status'>): boolean {
  return status === 'active' || status === 'blocked';
}

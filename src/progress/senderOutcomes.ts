import type { ErrorCode } from '../rules/outcome.ts';
import type { AttemptTrace } from '../schema/attemptTrace.ts';
import type { StoredHead } from './lease.ts';
import type { ParkedOps } from './parkedRows.ts';

/** An attempt that is stored as a row. Times are unix ms. */
export interface AttemptRow {
  position: number;
  /** The id that was sent. */
  messageId: string;
  eventId: string | null;
  /** How many entries its request carried; absent: this one alone. */
  batchSize?: number;
  attempt: number;
  startedAt: number;
  durationMs: number;
  outcome: 'delivered' | 'failed';
  status: number | null;
  errorCode: ErrorCode | null;
  responseHead: string | null;
  nextAttemptAt: number | null;
  /** Null for a success that was not traced. */
  trace: AttemptTrace | null;
}

/** Successes of first attempts since the last commit, as parallel columns. */
export interface Batch {
  positions: number[];
  startedAt: number[];
  durationMs: number[];
  status: number[];
  /** The requests of several entries with which some of them came; absent: there were none. */
  requests?: BatchRequest[];
}

/** A request of several entries, of which those from the index `from` on, `count` of them, are in the columns. */
export interface BatchRequest {
  from: number;
  count: number;
  /** How many entries it carried. */
  size: number;
  /** The id that was sent. */
  id: string;
}

/** The outcomes of a sender since its last commit, and its position. */
export interface SenderOutcomes {
  consumerId: string;
  epoch: number;
  position: number;
  ahead: number[];
  batch: Batch;
  /** The attempts that are stored as rows: failures, and successes that were traced or not first attempts. */
  attempts: AttemptRow[];
  /** The changes of parked entries; null: none. */
  parked: ParkedOps | null;
  /** The failing head; null: none fails any more; undefined: what was stored stays. */
  head?: StoredHead | null | undefined;
}

/** The newest versions of the rows, which a sender compares with those it has in force. */
export interface Committed {
  /** The consumer's version (`consumers.version`). */
  version: number;
  targetVersion: number;
}

import type { ErrorCode } from '../rules/outcome.ts';
import type { ParkedOps } from './parkedRows.ts';

export interface AttemptRow {
  position: number;
  messageId: string;
  eventId: string | null;
  attempt: number;
  startedAt: number;
  durationMs: number;
  outcome: 'delivered' | 'failed';
  status: number | null;
  errorCode: ErrorCode | null;
  responseHead: string | null;
  nextAttemptAt: number | null;
}

/** First-attempt successes since the last commit, as parallel columns. */
export interface Batch {
  positions: number[];
  startedAt: number[];
  durationMs: number[];
  status: number[];
}

export interface SenderOutcomes {
  consumerId: string;
  epoch: number;
  position: number;
  ahead: number[];
  batch: Batch;
  /** Attempts kept as rows: failures, and successes after them. */
  attempts: AttemptRow[];
  /** What happened to parked entries; null: nothing. */
  parked: ParkedOps | null;
}

export interface Committed {
  /** consumers.version: the configuration the sender should have. */
  version: number;
  targetVersion: number;
}

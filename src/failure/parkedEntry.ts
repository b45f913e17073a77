import {
  recordOfRow,
  type ParkedFailure,
  type ParkedOps,
  type ParkedRow,
} from '../progress/parkedRows.ts';
import { mayBeMessage, type Failed } from '../rules/outcome.ts';
import type { Entry } from '../streams/entry.ts';

/** `due` of one whose turn comes only after an earlier entry of its record. */
export const WAITS = Infinity;

/** One parked entry as its sender knows it. Times in ms of the consumer's own clock. */
export interface ParkedEntry {
  entry: Entry;
  record: string;
  attempts: number;
  parkedAt: Date;
  parkedMs: number;
  due: number;
  failure: ParkedFailure | null;
  /** What has become of it: `dropped` leaves no trace. */
  state: 'parked' | 'dropped' | 'dead';
  /** Whether Postgres has the row. */
  stored: boolean;
  /** Its body is being read, or it waits for its turn, or it is in flight. */
  busy: boolean;
  /** In flight. */
  flying: boolean;
  /** Failed attempts of its window. */
  tries: number;
}

/** Whether an entry is answered as it was before: what has proved to be its own fault is so again. */
export function isSameAnswer(before: ParkedFailure | null, now: Failed): boolean {
  return now.status !== null && mayBeMessage(now) && before?.status === now.status;
}

export function toFailure(
  { code, status, detail, responseHead }: Failed,
  atMs: number,
): ParkedFailure {
  return { code, status, detail, at: new Date(atMs).toISOString(), response_head: responseHead };
}

export function toParked(row: ParkedRow): ParkedEntry {
  return {
    entry: {
      position: row.position,
      messageId: row.message_id,
      syncId: row.sync_id,
      collectionId: row.collection_id,
      upstreamId: row.upstream_id,
      event: row.event,
      at: row.parked_at,
      body: '',
      bytes: 0,
      superseded: false,
    },
    record: recordOfRow(row),
    attempts: row.attempts,
    parkedAt: new Date(row.parked_at),
    parkedMs: row.parked_ms,
    due: row.due_ms ?? WAITS,
    failure: row.last_failure,
    state: 'parked',
    stored: true,
    busy: false,
    flying: false,
    tries: row.tries,
  };
}

export function toRow(parked: ParkedEntry): ParkedOps['inserts'][number] {
  const { entry } = parked;
  return {
    position: entry.position,
    message_id: entry.messageId,
    sync_id: entry.syncId,
    collection_id: entry.collectionId,
    upstream_id: entry.upstreamId,
    event: entry.event,
    body: parked.stored ? '' : entry.body,
    attempts: parked.attempts,
    tries: parked.tries,
    parked_at: parked.parkedAt.toISOString(),
    parked_ms: Math.round(parked.parkedMs),
    due_ms: parked.due === WAITS ? null : Math.round(parked.due),
    last_failure: parked.failure,
  };
}

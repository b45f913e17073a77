import {
  recordOfRow,
  type ParkedFailure,
  type ParkedOps,
  type ParkedRow,
} from '../progress/parkedRows.ts';
import { isOfBody, isSameFailure, mayBeMessage, type Failed } from '../rules/outcome.ts';
import type { Entry } from '../streams/entry.ts';

/** The `due` of an entry that waits for an earlier one of its record and has no time of its own. */
export const WAITS = Infinity;
/** The time that the quick tries before parking take, which stand for the first time of the schedule, ms. */
const TRIED_MS = 550;

/**
 * Where a parked entry is:
 * - `waiting`: it waits for its time, or for an earlier entry of its record;
 * - `outgoing`: handed out to be sent; its body is being read, or it is among what may be sent;
 * - `inFlight`: its attempt has started, and a filter that drops it takes effect when that ends;
 * - `done`: delivered, or no longer to be sent; its row is deleted without a trace;
 * - `dead`: it failed until its window was over; its row becomes a dead letter.
 */
export type ParkedState = 'waiting' | 'outgoing' | 'inFlight' | 'done' | 'dead';

/** One parked entry as its sender knows it. Times in ms of the consumer's own clock. */
export interface ParkedEntry {
  /** Its body is empty, and its `bytes` are 0, unless it is still to be stored or has been handed out. */
  entry: Entry;
  record: string;
  attempts: number;
  parkedAt: Date;
  parkedMs: number;
  due: number;
  /** The time for which its next attempt was planned, however late that is made; 0 or less: it was not planned. */
  plannedMs: number;
  failure: ParkedFailure | null;
  state: ParkedState;
  /** Whether Postgres has the row. */
  stored: boolean;
  /** When it first failed in its window, where its schedule begins; null: it has not failed. */
  failingMs: number | null;
  /** Whether it counts as a newly parked record until its row is written. */
  counts: boolean;
}

/** Whether an entry has been handed out to be sent, so that the rest of its record waits for it. */
export function isHandedOut({ state }: ParkedEntry): boolean {
  return state === 'outgoing' || state === 'inFlight';
}

/** Whether an entry has ended, so that it is not sent any more, whatever is still in progress. */
export function isOver({ state }: ParkedEntry): boolean {
  return state === 'done' || state === 'dead';
}

/**
 * Whether an entry failed again as it did when it was parked, so that the failure is again its own fault. Where no body
 * could be made of it, that is its own fault in any case.
 */
export function isItsOwn(parked: Pick<ParkedEntry, 'failure'>, now: Failed): boolean {
  if (isOfBody(now)) return true;
  return parked.failure !== null && mayBeMessage(now) && isSameFailure(parked.failure, now);
}

/** A failed attempt as it is stored with its parked entry; `atMs` is unix ms. */
export function toFailure(
  { code, status, detail, responseHead }: Failed,
  atMs: number,
): ParkedFailure {
  return { code, status, detail, at: new Date(atMs).toISOString(), response_head: responseHead };
}

/** The times of the two clocks that parked entries use, ms. */
export interface Clocks {
  /** Unix time, as Temporal counts. */
  nowMs: number;
  /** Unix time by the clock of Postgres, to which dates in `Retry-After` are compared. */
  utcMs: number;
  /** The consumer's own clock, which stands still unless the consumer is active. */
  clockMs: number;
}

/** An entry that is about to be parked. */
export interface NewParked {
  entry: Entry;
  record: string;
  /** Failed attempts so far. */
  attempts: number;
  /** The failure for which it is parked; null when it waits behind an earlier entry, untried. */
  failed: Failed | null;
  /** Whether it counts as a newly parked record. */
  counts: boolean;
}

/** Makes a parked entry. It waits for an earlier entry until the caller plans its attempt. */
export function newParked(
  { entry, record, attempts, failed, counts }: NewParked,
  { nowMs, clockMs }: Clocks,
): ParkedEntry {
  return {
    entry: { ...entry }, // a copy, as the tail's entry is shared
    record,
    attempts,
    parkedAt: new Date(nowMs),
    parkedMs: clockMs,
    due: WAITS,
    plannedMs: 0,
    failure: failed === null ? null : toFailure(failed, nowMs),
    state: 'waiting',
    stored: false,
    failingMs: failed === null ? null : clockMs - TRIED_MS,
    counts,
  };
}

/** Makes a waiting entry of a stored row; its body stays in Postgres until it is due. */
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
      traceparent: row.traceparent,
    },
    record: recordOfRow(row),
    attempts: row.attempts,
    parkedAt: new Date(row.parked_at),
    parkedMs: row.parked_ms,
    due: row.due_ms ?? WAITS,
    plannedMs: row.due_ms ?? 0,
    failure: row.last_failure,
    state: 'waiting',
    stored: true,
    failingMs: row.failing_ms,
    counts: false,
  };
}

/** The row of an entry; it carries the body only until Postgres has it. */
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
    traceparent: entry.traceparent,
    attempts: parked.attempts,
    parked_at: parked.parkedAt.toISOString(),
    parked_ms: Math.round(parked.parkedMs),
    failing_ms: parked.failingMs === null ? null : Math.round(parked.failingMs),
    due_ms: parked.due === WAITS ? null : Math.round(parked.due),
    last_failure: parked.failure,
  };
}

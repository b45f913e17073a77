import type { Failure } from '../rules/outcome.ts';

/** What a sender finds when it takes a cursor. */
export interface Lease {
  epoch: number;
  /** Milliseconds until an unreleased predecessor's lease has run out. */
  waitMs: number;
  position: number;
  ahead: number[];
  /** The failing entry, where the last sender ended with one. */
  head: number | null;
  /** Its attempts. */
  attempt: number;
  /** Failed attempts since the last success: how far the schedule has come. */
  tries: number;
  lastFailure: Failure | null;
  /** Requests in flight that the endpoint last bore; null: no limit is known. */
  flow: number | null;
  /** The endpoint has just come back. */
  ramp: boolean;
  /** Where a rate limits, no request starts before (monotonic ms): the predecessor made one just now. */
  sendFrom: number;
  /** There are parked entries. */
  parked: boolean;
  /** How many were parked since the last resume. */
  parkedTotal: number;
}

/** What the cursor keeps of a failing head. */
export interface StoredHead {
  position: number;
  attempt: number;
  /** Failed attempts since the last success. */
  tries: number;
  /** Unix ms; null: none is planned. */
  nextAttemptAt: number | null;
  /** Until when the endpoint asked to wait, unix ms; null: it did not. */
  askedUntil: number | null;
  failure: Failure;
}

/** What a sender leaves in its cursor when it ends. */
export interface Release {
  consumerId: string;
  epoch: number;
  idle: boolean;
  /** The entry that failed last; null: none fails; `keep`: as it was. */
  head: 'keep' | null | StoredHead;
  /** What was learned of the endpoint's limits; undefined: nothing. */
  flow?: { found: number | null; ramping: boolean };
  /** Until the next request may start, ms; undefined: as it was. */
  paceMs?: number;
  /** The target that was tried, by one that found it failing. */
  triedTarget?: { id: string; version: number };
}

/**
 * No request starts in the last moments of a lease, and one that is open then is cut, ms: the cut is
 * made by a timer that comes every 25 to 50 ms and may be late, and has to be made while the lease holds.
 */
export const LEASE_MARGIN_MS = 200;

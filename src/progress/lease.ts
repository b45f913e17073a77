import type { Failure } from '../rules/outcome.ts';

/** What a sender learns when it takes a cursor. */
export interface Lease {
  epoch: number;
  /**
   * Milliseconds until the lease of a previous sender that did not release it is over; nothing may be sent
   * before.
   */
  waitMs: number;
  position: number;
  ahead: number[];
  /** The failing entry that the last sender ended with; null: there is none. */
  head: number | null;
  /** The attempts that the failing entry has had. */
  attempt: number;
  /** Failed attempts since the last success. */
  tries: number;
  /** When its next attempt is due, unix ms; null: none is planned. */
  nextAttemptAt: number | null;
  /** Until when the endpoint has asked to wait, unix ms; null: it has not. */
  askedUntil: number | null;
  /** When the schedule of the attempts began, unix ms; null: nothing fails, or it was not stored. */
  scheduleFrom: number | null;
  /** When the schedule begins once more: at the end of the last wait that was asked for, unix ms; null: none was. */
  scheduleAgainFrom: number | null;
  lastFailure: Failure | null;
  /** How many requests in flight the endpoint last handled; null: no limit is known. */
  flow: number | null;
  /** Whether the endpoint has just begun to work again. */
  ramp: boolean;
  /** When the next request may start under a rate limit (monotonic ms), after those of the previous sender. */
  sendFrom: number;
  /** Whether there are parked entries. */
  parked: boolean;
  /** How many entries have been parked since the last resume. */
  parkedTotal: number;
  /** Whether a lasting fault kept the last sender from starting, or ended it later; null: none did. */
  faulted: 'not started' | 'crashed' | null;
  /** The target as it was when the cursor was taken; null: there is none. */
  target: { id: string; version: number } | null;
}

/** The failing head as the cursor stores it. */
export interface StoredHead {
  position: number;
  attempt: number;
  /** Failed attempts since the last success. */
  tries: number;
  /** When the next attempt is due, unix ms; null: none is planned. */
  nextAttemptAt: number | null;
  /** Until when the endpoint has asked to wait, unix ms; null: it has not. */
  askedUntil: number | null;
  /** When the schedule of the attempts began, unix ms. */
  scheduleFrom: number;
  /** When it begins once more, unix ms; null: no wait has been asked for. */
  scheduleAgainFrom: number | null;
  failure: Failure;
}

/** The head that the last sender has stored, with which this one may continue; null: nothing fails. */
export function headOfLease(lease: Lease): StoredHead | null {
  const { head: position, lastFailure: failure, scheduleFrom } = lease;
  if (position === null || failure === null || scheduleFrom === null) return null;
  const { attempt, tries, nextAttemptAt, askedUntil, scheduleAgainFrom } = lease;
  const times = { nextAttemptAt, askedUntil, scheduleFrom, scheduleAgainFrom };
  return { position, attempt, tries, ...times, failure };
}

/** What a sender stores in its cursor when it releases it. */
export interface Release {
  consumerId: string;
  epoch: number;
  /** Whether it is caught up, so that the leader watches it. */
  idle: boolean;
  /**
   * Who is to send next for a consumer that was visited and has something left to send: a lane of visits again,
   * or a drain of its own.
   */
  wants?: 'visit' | 'drain';
  /** Whether there are parked entries; undefined: it is not known. */
  parked?: boolean;
  /** The failing entry; null: none fails; `keep`: what was stored stays. */
  head: 'keep' | null | StoredHead;
  /** What was learned about the endpoint's limits; undefined: what was stored stays. */
  flow?: { found: number | null; ramping: boolean };
  /** Milliseconds until the next request may start; undefined: what was stored stays. */
  paceMs?: number;
  /** The target that was tried; undefined: what was stored stays. */
  triedTarget?: { id: string; version: number };
}

/**
 * The last part of a lease, ms, in which no request starts and open ones are cut. A timer makes the cut every
 * 25 to 50 ms; even when it is late, the cut has to come while the lease holds.
 */
export const LEASE_MARGIN_MS = 200;

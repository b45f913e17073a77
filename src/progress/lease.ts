import type { Sql } from '../db/db.ts';
import type { Failure } from '../rules/outcome.ts';

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

/** A sender that did not let go may have made a request until its lease was over; no rate is below one a second. */
export const SLOWEST = `interval '1 second'`;

export async function acquire(
  sql: Sql,
  consumerId: string,
  holder: string,
  leaseMs: number,
): Promise<Lease | null> {
  // A woken drain skips to what the leader saw, if it saw it with the filter in force.
  const { rows } = await sql.query<{
    epoch: number;
    wait_ms: number;
    position: number;
    ahead: number[];
    head: number | null;
    attempt: number;
    tries: number;
    last_failure: Failure | null;
    flow: number | null;
    ramp: boolean;
    pace_ms: number;
    parked: boolean;
    parked_total: number;
  }>({
    name: 'acquire',
    text: `
      update cursors c
         set epoch          = c.epoch + 1,
             holder         = $2,
             lease_until    = clock_timestamp() + make_interval(secs => $3 / 1000.0),
             position       = case when old.wanted > c.position and old.wanted_version = k.filter_version
                                   then old.wanted - 1 else c.position end,
             idle           = false,
             indexed_epoch  = null,
             wanted         = null,
             wanted_version = null,
             paced_until    = coalesce(old.lease_until + ${SLOWEST}, old.paced_until)
        from (select * from cursors where consumer_id = $1 for update) old
        join consumers k on k.id = old.consumer_id
       where c.consumer_id = old.consumer_id
      returning c.epoch, c.position, c.ahead, c.head, c.attempt, c.tries, c.last_failure, c.flow,
                c.ramp, c.parked_total,
                coalesce(greatest(0, extract(epoch from c.paced_until - clock_timestamp()) * 1000), 0)::float8
                  as pace_ms,
                exists (select from parked p where p.consumer_id = c.consumer_id) as parked,
                case when old.holder is null then 0
                     else greatest(0, extract(epoch from old.lease_until - clock_timestamp()) * 1000)::float8
                end as wait_ms`,
    values: [consumerId, holder, leaseMs],
  });
  const row = rows[0];
  if (row === undefined) return null;
  const {
    wait_ms: waitMs,
    pace_ms: paceMs,
    parked_total: parkedTotal,
    last_failure: lastFailure,
    ...rest
  } = row;
  const sendFrom = performance.now() + paceMs;
  return { ...rest, waitMs, sendFrom, parkedTotal, lastFailure };
}

export async function letGo(sql: Sql, release: Release): Promise<boolean> {
  const head = release.head === 'keep' ? null : release.head;
  const { rows } = await sql.query({
    name: 'release',
    text: `
      with released as (
      update cursors
         set holder = null, lease_until = null, idle = $3, indexed_epoch = null,
             wanted = null, wanted_version = null,
             head            = case when $8 then head else $4 end,
             attempt         = case when $8 then attempt else $5 end,
             next_attempt_at = case when $8 then next_attempt_at else $6 end,
             last_failure    = coalesce($7::jsonb, last_failure),
             flow            = case when $9 then $10 else flow end,
             ramp            = case when $9 then $11 else ramp end,
             tried_target    = coalesce($12, tried_target),
             tried_target_id = coalesce($13, tried_target_id),
             tries           = case when $8 then tries else $14 end,
             asked_until     = case when $8 then asked_until else $15 end,
             paced_until     = coalesce(clock_timestamp() + make_interval(secs => $16 / 1000.0), paced_until)
       where consumer_id = $1 and epoch = $2
      returning consumer_id
      )
      select case when $3 then pg_notify('millrace_idle', '') end from released`,
    values: [
      release.consumerId,
      release.epoch,
      release.idle,
      head?.position ?? null,
      head?.attempt ?? 0,
      head === null || head.nextAttemptAt === null ? null : new Date(head.nextAttemptAt),
      head === null ? null : JSON.stringify(head.failure),
      release.head === 'keep',
      release.flow !== undefined,
      release.flow?.found ?? null,
      release.flow?.ramping ?? false,
      release.triedTarget?.version ?? null,
      release.triedTarget?.id ?? null,
      head?.tries ?? 0,
      head?.askedUntil == null ? null : new Date(head.askedUntil),
      release.paceMs ?? null,
    ],
  });
  return rows.length === 1;
}

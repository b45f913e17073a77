import type { Query, Sql } from '../db/db.ts';
import { IS_OF_LANE } from '../rules/leaseSql.ts';
import type { Failure } from '../rules/outcome.ts';
import type { StoredHead } from './lease.ts';

/** The columns of a cursor without a failing entry: the next failure begins a new schedule. */
const NOTHING_FAILS = `head = null, attempt = 0, tries = 0, next_attempt_at = null, asked_until = null,
  schedule_from = null, schedule_again_from = null`;

/** The columns of the failing head in a row of `jsonb_to_recordset`; `keep`: what was stored stays. */
export const HEAD_COLUMNS = `
  keep boolean, head bigint, attempt int, tries int, next_attempt_at timestamptz, asked_until timestamptz,
  schedule_from timestamptz, schedule_again_from timestamptz, failure jsonb`;

/**
 * The failure that the row `r` brings, or the stored one; `since` is the time of the first in a row of equal
 * failures.
 */
const NEWEST_FAILURE = `
  case when r.failure is null then c.last_failure
       else r.failure || jsonb_build_object('since',
         case when c.head is not null and c.last_failure ->> 'code' = r.failure ->> 'code'
               and c.last_failure -> 'status' is not distinct from r.failure -> 'status'
              then coalesce(c.last_failure ->> 'since', c.last_failure ->> 'at')
              else r.failure ->> 'at' end) end`;

/** The part of an update of cursors `c` that stores the failing head of the row `r`; a null `keep` keeps it as well. */
export const SET_HEAD = `
  ${[
    'head',
    'attempt',
    'tries',
    'next_attempt_at',
    'asked_until',
    'schedule_from',
    'schedule_again_from',
  ]
    .map((column) => `${column} = case when r.keep is false then r.${column} else c.${column} end`)
    .join(', ')},
  last_failure = ${NEWEST_FAILURE}`;

/** The columns of the failing head for `HEAD_COLUMNS`; null: none fails. */
export function headColumns(head: StoredHead | null | 'keep'): Record<string, unknown> {
  if (head === 'keep') return { keep: true };
  return {
    keep: false,
    head: head?.position ?? null,
    attempt: head?.attempt ?? 0,
    tries: head?.tries ?? 0,
    next_attempt_at: toTime(head?.nextAttemptAt),
    asked_until: toTime(head?.askedUntil),
    schedule_from: toTime(head?.scheduleFrom),
    schedule_again_from: toTime(head?.scheduleAgainFrom),
    failure: head?.failure ?? null,
  };
}

function toTime(unixMs: number | null | undefined): string | null {
  return unixMs == null ? null : new Date(unixMs).toISOString();
}

/**
 * Joins consumers `k` by the column that holds their ids. `offset 0` keeps the planner from beginning with all
 * active consumers, which it would do as long as it has no statistics about them.
 */
export function withConsumers(id: string): string {
  return `cross join lateral (select * from consumers where id = ${id} offset 0) k`;
}

/** Joins consumers `k` to cursors `c`. */
export const WITH_CONSUMERS = withConsumers('c.consumer_id');

/**
 * The holders of cursors whose lanes no longer have a lease, for a statement `with recursive`. It skips from
 * holder to holder by the index, because there are few holders and many cursors. A statement that reads the cursors of
 * lost lanes needs `ANY_LOST`: with statistics from before a storm, Postgres would begin with all visited consumers.
 */
export const LOST_LANES = `
  holders as (
    (select holder from cursors where visited order by holder limit 1)
    union all
    select (select c.holder from cursors c where c.visited and c.holder > h.holder order by c.holder limit 1)
      from holders h where h.holder is not null
  ), lost as materialized (
    select holder from holders h
     where holder is not null and not exists (select from visit_lanes v where v.id = h.holder)
  )`;

/** Whether there is a lost lane; it is looked up before the statement reads anything else. */
export const ANY_LOST = 'exists (select from lost)';

/** The columns of a cursor that the leader does not watch. */
export const UNWATCHED =
  'indexed_epoch = null, wanted = null, wanted_at = null, wanted_version = null, needs_drain = false';

/**
 * The pause after the lease of a sender that died, which may have sent until the end of the lease: no rate
 * limit is below 1/s.
 */
export const SLOWEST = `interval '1 second'`;

/** Replaces the failure with the same time, unless another sender has taken the cursor since that epoch. */
export async function amendFailure(
  sql: Sql,
  { consumerId, epoch, failure }: { consumerId: string; epoch: number; failure: Failure },
): Promise<void> {
  await sql.query({
    text: `
      update cursors set last_failure =
             $3::jsonb || jsonb_strip_nulls(jsonb_build_object('since', last_failure -> 'since'))
       where consumer_id = $1 and epoch = $2 and head is not null and last_failure ->> 'at' = $4`,
    values: [consumerId, epoch, JSON.stringify(failure), failure.at],
  });
}

/** What a commit changes in cursors apart from what it always changes. */
export interface Moved {
  /** Whether it has newly parked entries to count. */
  parked: boolean;
  /** Whether it stores failing heads, from the rows in `heads`. */
  heads: boolean;
}

/**
 * The part of a commit that moves the cursors of the rows in `input` and renews their leases for $9 ms, apart
 * from those of lanes; it returns the consumers that are not fenced. An endpoint that works again gets one
 * request first.
 */
export function moveCursors({ parked, heads }: Moved): string {
  return `
    update cursors c
       set position    = i.position,
           ahead       = i.ahead::bigint[],
           lease_until = case when not c.visited then clock_timestamp() + make_interval(secs => $9 / 1000.0) end
           ${parked ? ', parked_total = c.parked_total + i.added' : ''}
           ${heads ? `, ramp = c.ramp or (r.keep is false and r.head is null), ${SET_HEAD}` : ''}
      from input i ${heads ? 'left join heads r using (consumer_id)' : ''}
     where c.consumer_id = i.consumer_id and c.epoch = i.epoch
    returning c.consumer_id`;
}

/**
 * The part of a statement that stores which version, and which version of its target, each sender in `i` has
 * confirmed.
 */
export const TAKE_VERSIONS = `
  update cursors c set seen_version = greatest(c.seen_version, i.version),
                       seen_target_id = i.target_id, seen_target_version = i.target_version
    from i
   where c.consumer_id = i.consumer_id and c.epoch = i.epoch
  returning c.consumer_id, i.filter_version, i.filter_from`;

/**
 * The part of a statement that ends the epochs of the consumers $1, unless a sender's lease is still running.
 * Consumers that were visited are to be visited again.
 */
export const END_EPOCH = `
  update cursors c set epoch = epoch + 1, holder = null, lease_until = null, visited = false,
                     idle = idle or visited, wanted = case when visited then position + 1 else wanted end,
                     wanted_at = case when visited then clock_timestamp() else wanted_at end,
                     paced_until = case when visited then clock_timestamp() + ${SLOWEST}
                                        else coalesce(lease_until + ${SLOWEST}, paced_until) end
   where consumer_id = any($1::uuid[])
     and (holder is null or lease_until <= clock_timestamp() or (visited and not (${IS_OF_LANE})))
  returning consumer_id, position, ahead`;

/**
 * The part of a statement that creates the cursor of the row in `consumer`, at the `position` of the row in
 * `place`. It is idle from the start, so that it is served before its workflow runs: the leader watches it or,
 * if entries up to `last_position` exist already, it wants the next one.
 */
export const CREATE_CURSOR = `
  insert into cursors (consumer_id, position, idle, wanted, wanted_at)
  select id, position, true, case when position < last_position then position + 1 end,
         case when position < last_position then clock_timestamp() end
    from consumer cross join place
  returning wanted`;

/** Sets an idle consumer to `position` and ends the leader's watch over it. */
export async function leaveLeader(sql: Sql, consumerId: string, position: number): Promise<void> {
  await sql.query({
    text: `update cursors set position = $2, idle = false, ${UNWATCHED} where consumer_id = $1`,
    values: [consumerId, position],
  });
}

/** Makes the failing head due immediately, for the next sender. */
export async function hurryHead(sql: Sql, consumerId: string): Promise<void> {
  await sql.query({
    text: `
      update cursors set next_attempt_at = clock_timestamp()
       where consumer_id = $1 and head is not null and next_attempt_at > clock_timestamp()`,
    values: [consumerId],
  });
}

/** Prepares a cursor for a resume: nothing fails, nothing counts as parked, and sending starts with one request. */
export async function resumeCursor(sql: Sql, consumerId: string): Promise<void> {
  await sql.query({
    text: `
      update cursors set ${NOTHING_FAILS}, parked_total = 0, ramp = true where consumer_id = $1`,
    values: [consumerId],
  });
}

/**
 * Settles everything up to `position`, and nothing above it. Commits of a sender that did not release its lease
 * are fenced; the lease is still waited out.
 */
export async function seekCursor(sql: Sql, consumerId: string, position: number): Promise<void> {
  await sql.query({
    text: `
      update cursors
         set position = $2, ahead = '{}', epoch = epoch + 1, idle = false, visited = false,
             holder = case when not visited then holder end, ${UNWATCHED},
             ${NOTHING_FAILS}
       where consumer_id = $1`,
    values: [consumerId, position],
  });
}

/** The part of a statement that notes for the consumers in `k` that their endpoints work again: nothing fails. */
export const RECOVER = `
  update cursors set ${NOTHING_FAILS}, ramp = true
    from k where consumer_id = k.id
  returning cursors.*`;

/** The part of a statement that cancels the planned attempts of the consumers in `k`. */
export const PLAN_NOTHING = `
  update cursors set next_attempt_at = null
    from k where consumer_id = k.id
  returning cursors.*`;

/** Which entries of a consumer are settled. */
export interface Settled {
  position: number;
  /** Settled positions above it. */
  ahead: number[];
  /** Whether the endpoint has asked to wait until a time that has not come yet. */
  asked: boolean;
}

/** Reads which entries are settled; null when the consumer has no row. */
export async function loadSettled(sql: Sql, consumerId: string): Promise<Settled | null> {
  const { rows } = await sql.query<Settled>({
    text: `
      select position, ahead, coalesce(asked_until > clock_timestamp(), false) as asked
        from cursors where consumer_id = $1`,
    values: [consumerId],
  });
  return rows[0] ?? null;
}

/** The result of the leader's search for an idle consumer. */
export interface Matched {
  consumerId: string;
  filterVersion: number;
  /** The position of the first match; null when there was none. */
  position: number | null;
}

/** Locks the leader's row under epoch $1, so that no other process takes the lead before the transaction ends. */
export const LEADING = 'select epoch from leader where epoch = $1 for share';

/** Ends the watch over all cursors. Each stays at the leader's position, unless it wants an entry. */
export async function unwatchAll(sql: Sql): Promise<void> {
  await sql.query(`
    update cursors c
       set indexed_epoch = null,
           position      = case when c.wanted is null then greatest(c.position, t.position)
                                else c.position end
      from consumers k join tails t on t.stream = k.stream
     where k.id = c.consumer_id and c.idle and c.indexed_epoch is not null`);
}

/** Who sends the entries that the leader finds: a lane of visits, or the consumer's own drain. */
export type WantedOf = 'visit' | 'drain';

/**
 * Stores that the leader watches these consumers, if it is still the leader under `epoch` and their filters are
 * unchanged.
 */
export async function watch(
  sql: Sql,
  epoch: number,
  watched: Matched[],
  by: WantedOf,
): Promise<void> {
  await sql.query({
    text: `
      with mine as (${LEADING})
      update cursors c
         set indexed_epoch  = $1,
             wanted         = w.position,
             wanted_at      = case when w.position is not null then clock_timestamp() end,
             needs_drain    = w.position is not null and $5,
             wanted_version = case when w.position is not null then w.filter_version end
        from unnest($2::uuid[], $3::int[], $4::bigint[]) as w(consumer_id, filter_version, position)
        join consumers k on k.id = w.consumer_id and k.filter_version = w.filter_version
       where c.consumer_id = w.consumer_id and c.idle and c.wanted is null
         and exists (select from mine)`,
    values: [
      epoch,
      watched.map((one) => one.consumerId),
      watched.map((one) => one.filterVersion),
      watched.map((one) => one.position),
      by === 'drain',
    ],
  });
}

/**
 * Leaves wanted entries of idle consumers to their own drains, because no lane of visits sends them; returns
 * the consumers for which that is new.
 */
export async function leaveToDrains(sql: Sql): Promise<{ consumerId: string; wanted: number }[]> {
  const { rows } = await sql.query<{ consumer_id: string; wanted: number }>({
    name: 'leave to drains',
    text: `
      update cursors set needs_drain = true
       where wanted is not null and idle and not needs_drain
         and (holder is null or lease_until < clock_timestamp())
      returning consumer_id, wanted`,
  });
  return rows.map((row) => ({ consumerId: row.consumer_id, wanted: row.wanted }));
}

/** A statement that stores which entries watched consumers want, if the leader is still the leader under `epoch`. */
export function setWanted(epoch: number, wanted: Matched[], by: WantedOf): Query {
  return {
    text: `
      update cursors c set wanted = w.position, wanted_at = clock_timestamp(), wanted_version = w.filter_version, needs_drain = $5
        from unnest($1::uuid[], $2::bigint[], $3::int[]) as w(consumer_id, position, filter_version)
       where c.consumer_id = w.consumer_id and c.idle and c.wanted is null
         and c.indexed_epoch = $4 and exists (select from leader where epoch = $4)`,
    values: [
      wanted.map((one) => one.consumerId),
      wanted.map((one) => one.position),
      wanted.map((one) => one.filterVersion),
      epoch,
      by === 'drain',
    ],
  };
}

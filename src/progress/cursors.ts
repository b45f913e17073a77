import { CHANNELS } from '../db/channels.ts';
import type { Query, Sql } from '../db/db.ts';
import type { Failure } from '../rules/outcome.ts';
import type { Lease, Release } from './lease.ts';

/** The columns of a cursor without a failing entry: the next failure begins a new schedule. */
const NOTHING_FAILS = `head = null, attempt = 0, tries = 0, next_attempt_at = null, asked_until = null,
  schedule_from = null, schedule_again_from = null`;

/** The columns of a cursor that the leader does not watch. */
const UNWATCHED = 'indexed_epoch = null, wanted = null, wanted_version = null';

/** The wait after the lease of a sender that died, which may have sent until its end: no rate is below 1/s. */
const SLOWEST = `interval '1 second'`;

/**
 * Starts the next epoch, which fences every earlier sender; null when the consumer has no row. A
 * woken drain skips to the leader's match if the leader matched with the newest filter version.
 */
export async function acquire(
  sql: Sql,
  consumerId: string,
  holder: string,
  leaseMs: number,
): Promise<Lease | null> {
  const { rows } = await sql.query<{
    epoch: number;
    wait_ms: number;
    position: number;
    ahead: number[];
    head: number | null;
    attempt: number;
    tries: number;
    schedule_from: string | null;
    schedule_again_from: string | null;
    last_failure: Failure | null;
    flow: number | null;
    ramp: boolean;
    pace_ms: number;
    parked: boolean;
    parked_total: number;
    fault: string | null;
    crashed: boolean;
    target_id: string | null;
    target_version: number | null;
  }>({
    name: 'acquire',
    text: `
      update cursors c
         set epoch       = c.epoch + 1,
             holder      = $2,
             lease_until = clock_timestamp() + make_interval(secs => $3 / 1000.0),
             position    = case when old.wanted > c.position and old.wanted_version = k.filter_version
                                then old.wanted - 1 else c.position end,
             paced_until = coalesce(old.lease_until + ${SLOWEST}, old.paced_until),
             idle        = false, ${UNWATCHED}
        from (select * from cursors where consumer_id = $1 for update) old
        join consumers k on k.id = old.consumer_id
        left join targets t on t.id = k.target_id
        left join start_faults f on f.consumer_id = k.id
       where c.consumer_id = old.consumer_id
      returning c.epoch, c.position, c.ahead, c.head, c.attempt, c.tries, c.schedule_from,
                c.schedule_again_from, c.last_failure, c.flow, c.ramp, c.parked_total,
                t.id as target_id, t.version as target_version,
                f.code as fault, coalesce(f.is_crash, false) as crashed,
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
    schedule_from: from,
    schedule_again_from: againFrom,
    fault,
    crashed,
    target_id: id,
    target_version: version,
    ...rest
  } = row;
  const sendFrom = performance.now() + paceMs;
  const scheduleFrom = from === null ? null : Date.parse(from);
  const scheduleAgainFrom = againFrom === null ? null : Date.parse(againFrom);
  const faulted: Lease['faulted'] = fault === null ? null : crashed ? 'crashed' : 'not started';
  const target = id === null || version === null ? null : { id, version };
  const read = { waitMs, sendFrom, parkedTotal, lastFailure, faulted, target };
  return { ...rest, ...read, scheduleFrom, scheduleAgainFrom };
}

/** Ends a sender's lease, noting how it ended; false when the sender is fenced. */
export async function release(sql: Sql, released: Release): Promise<boolean> {
  const head = released.head === 'keep' ? null : released.head;
  const { rows } = await sql.query({
    name: 'release',
    text: `
      with released as (
      update cursors
         set holder = null, lease_until = null, idle = $3, ${UNWATCHED},
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
             schedule_from   = case when $8 then schedule_from else $17 end,
             schedule_again_from = case when $8 then schedule_again_from else $18 end,
             paced_until     = coalesce(clock_timestamp() + make_interval(secs => $16 / 1000.0), paced_until)
       where consumer_id = $1 and epoch = $2
      returning consumer_id
      )
      select case when $3 then pg_notify('${CHANNELS.idle}', '') end from released`,
    values: [
      released.consumerId,
      released.epoch,
      released.idle,
      head?.position ?? null,
      head?.attempt ?? 0,
      toDate(head?.nextAttemptAt),
      head === null ? null : JSON.stringify(head.failure),
      released.head === 'keep',
      released.flow !== undefined,
      released.flow?.found ?? null,
      released.flow?.ramping ?? false,
      released.triedTarget?.version ?? null,
      released.triedTarget?.id ?? null,
      head?.tries ?? 0,
      toDate(head?.askedUntil),
      released.paceMs ?? null,
      toDate(head?.scheduleFrom),
      toDate(head?.scheduleAgainFrom),
    ],
  });
  return rows.length === 1;
}

/** Replaces the failure of the same time, if no other sender has taken the cursor since that epoch. */
export async function amendFailure(
  sql: Sql,
  { consumerId, epoch, failure }: { consumerId: string; epoch: number; failure: Failure },
): Promise<void> {
  await sql.query({
    text: `
      update cursors set last_failure = $3::jsonb
       where consumer_id = $1 and epoch = $2 and head is not null and last_failure ->> 'at' = $4`,
    values: [consumerId, epoch, JSON.stringify(failure), failure.at],
  });
}

function toDate(unixMs: number | null | undefined): Date | null {
  return unixMs == null ? null : new Date(unixMs);
}

/**
 * The part of a commit that moves the cursors of the rows in `input` and renews their leases for $9
 * ms; it returns the consumers that are not fenced. With `parked` it also counts newly parked entries.
 */
export function moveCursors(parked: boolean): string {
  return `
    update cursors c
       set position    = i.position,
           ahead       = i.ahead::bigint[],
           lease_until = clock_timestamp() + make_interval(secs => $9 / 1000.0)
           ${parked ? ', parked_total = c.parked_total + i.added' : ''}
      from input i
     where c.consumer_id = i.consumer_id and c.epoch = i.epoch
    returning c.consumer_id`;
}

/**
 * The part of a statement that notes that the sender of consumer $1 with epoch $2 has taken version $3,
 * and of the target $6 version $7.
 */
export const TAKE_VERSION = `
  update cursors set seen_version = greatest(seen_version, $3),
                     seen_target_id = $6, seen_target_version = $7
   where consumer_id = $1 and epoch = $2
  returning consumer_id`;

/** The part of a statement that ends the epochs of the consumers $1, unless a sender's lease is still running. */
export const END_EPOCH = `
  update cursors set epoch = epoch + 1, holder = null, lease_until = null,
                     paced_until = coalesce(lease_until + ${SLOWEST}, paced_until)
   where consumer_id = any($1::uuid[]) and (holder is null or lease_until <= clock_timestamp())
  returning consumer_id, position, ahead`;

/** The part of a statement that creates the cursor of the row in `consumer`, at `position`. */
export function createCursor({ position, idle }: { position: string; idle: string }): string {
  return `insert into cursors (consumer_id, position, idle) select id, ${position}, ${idle} from consumer`;
}

/** Sets an idle consumer to `position` and ends the leader's watch over it. */
export async function leaveLeader(sql: Sql, consumerId: string, position: number): Promise<void> {
  await sql.query({
    text: `update cursors set position = $2, idle = false, ${UNWATCHED} where consumer_id = $1`,
    values: [consumerId, position],
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
 * Makes everything up to `position` settled, and nothing above it. Commits of a sender that did not
 * release its lease are fenced; the lease is still waited out.
 */
export async function seekCursor(sql: Sql, consumerId: string, position: number): Promise<void> {
  await sql.query({
    text: `
      update cursors
         set position = $2, ahead = '{}', epoch = epoch + 1, idle = false, ${UNWATCHED},
             ${NOTHING_FAILS}
       where consumer_id = $1`,
    values: [consumerId, position],
  });
}

/** The part of a statement that notes for the consumers in `k` that their endpoints are back: nothing fails. */
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
  /** Whether the endpoint has asked to wait and that time is not over. */
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

/** What the leader has found for an idle consumer. */
export interface Matched {
  consumerId: string;
  filterVersion: number;
  /** The position of the first match; null when there was none. */
  position: number | null;
}

/** Locks the leader's row under epoch $1, so that no other process takes the lead before the transaction ends. */
export const LEADING = 'select epoch from leader where epoch = $1 for share';

/** Ends the watch over all cursors. Each stays at the leader's position, unless it wants something. */
export async function unwatchAll(sql: Sql): Promise<void> {
  await sql.query(`
    update cursors c
       set indexed_epoch = null,
           position      = case when c.wanted is null then greatest(c.position, t.position)
                                else c.position end
      from consumers k join tails t on t.stream = k.stream
     where k.id = c.consumer_id and c.idle and c.indexed_epoch is not null`);
}

/** Notes that the leader watches these, if it still leads under `epoch`, where their filters are the same. */
export async function watch(sql: Sql, epoch: number, watched: Matched[]): Promise<void> {
  await sql.query({
    text: `
      with mine as (${LEADING})
      update cursors c
         set indexed_epoch  = $1,
             wanted         = w.position,
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
    ],
  });
}

/** A statement that notes what watched consumers want, if the leader still leads under `epoch`. */
export function setWanted(epoch: number, wanted: Matched[]): Query {
  return {
    text: `
      update cursors c set wanted = w.position, wanted_version = w.filter_version
        from unnest($1::uuid[], $2::bigint[], $3::int[]) as w(consumer_id, position, filter_version)
       where c.consumer_id = w.consumer_id and c.idle and c.wanted is null
         and c.indexed_epoch = $4 and exists (select from leader where epoch = $4)`,
    values: [
      wanted.map((one) => one.consumerId),
      wanted.map((one) => one.position),
      wanted.map((one) => one.filterVersion),
      epoch,
    ],
  };
}

import { CHANNELS } from '../db/channels.ts';
import type { Sql } from '../db/db.ts';
import { IS_OF_LANE } from '../rules/leaseSql.ts';
import type { Failure } from '../rules/outcome.ts';
import {
  ANY_LOST,
  HEAD_COLUMNS,
  headColumns,
  LOST_LANES,
  SET_HEAD,
  SLOWEST,
  UNWATCHED,
  WITH_CONSUMERS,
} from './cursors.ts';
import type { Lease, Release } from './lease.ts';

/** The row of a cursor that has just been taken. */
interface Taken {
  epoch: number;
  wait_ms: number;
  position: number;
  ahead: number[];
  head: number | null;
  attempt: number;
  tries: number;
  next_attempt_at: string | null;
  asked_until: string | null;
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
}

/**
 * Takes the cursors `old` for $1: each starts its next epoch, which fences every earlier sender. A woken sender
 * skips to the leader's match if the leader matched with the newest filter version.
 */
const TAKE = `
  update cursors c
     set epoch       = c.epoch + 1,
         holder      = $1,
         position    = case when old.wanted > c.position and old.wanted_version = k.filter_version
                            then old.wanted - 1 else c.position end,
         paced_until = case when old.visited then clock_timestamp() + ${SLOWEST}
                            else coalesce(old.lease_until + ${SLOWEST}, old.paced_until) end,
         idle        = false, ${UNWATCHED}`;

const FROM_OLD = `
    from old
    join consumers k on k.id = old.consumer_id
    left join targets t on t.id = k.target_id
    left join start_faults f on f.consumer_id = k.id
   where c.consumer_id = old.consumer_id`;

const RETURNING = `
  returning c.epoch, c.position, c.ahead, c.head, c.attempt, c.tries,
            c.next_attempt_at, c.asked_until, c.schedule_from, c.schedule_again_from, c.last_failure, c.flow, c.ramp, c.parked_total,
            t.id as target_id, t.version as target_version,
            f.code as fault, coalesce(f.is_crash, false) as crashed,
            coalesce(greatest(0, extract(epoch from c.paced_until - clock_timestamp()) * 1000), 0)::float8
              as pace_ms,
            exists (select from parked p where p.consumer_id = c.consumer_id) as parked,
            case when old.holder is null then 0
                 else greatest(0, extract(epoch from old.lease_until - clock_timestamp()) * 1000)::float8
            end as wait_ms`;

/**
 * Starts the next epoch of one consumer; null when it has no row, or a lane of visits is its sender, which will
 * release it by itself.
 */
export async function acquire(
  sql: Sql,
  consumerId: string,
  holder: string,
  leaseMs: number,
): Promise<Lease | null> {
  const { rows } = await sql.query<Taken>({
    name: 'acquire',
    text: `
      with old as (
        select * from cursors c
         where consumer_id = $3 and not (${IS_OF_LANE}) for update
      )
      ${TAKE}, visited = false,
         lease_until = clock_timestamp() + make_interval(secs => $2 / 1000.0) ${FROM_OLD} ${RETURNING}`,
    values: [holder, leaseMs, consumerId],
  });
  const [row] = rows;
  return row === undefined ? null : leaseOf(row);
}

/** A consumer that a lane of visits has claimed. */
export interface Claimed {
  consumerId: string;
  lease: Lease;
  /** How long it has wanted an entry, ms; null: its lane has died, or it is not known. */
  waitedMs: number | null;
  /** The versions that its last sender has confirmed; a sender that begins with the same has nothing to confirm. */
  confirmed: { version: number; targetId: string | null; targetVersion: number | null };
}

/** Which consumers to claim. */
export interface Claim {
  /** The name of the lane, whose lease must be in force. */
  holder: string;
  region: string;
  limit: number;
  /** Claims consumers whose lane has died, instead of those that want an entry. */
  lost: boolean;
  /** Which of the lane's claims it is; each has a higher number than those before. */
  number: number;
}

/** Consumers that want an entry and have no sender, those with the lowest wanted positions first. */
const WANTING = `c.wanted is not null and c.idle and not c.needs_drain and not c.visited
           and (c.holder is null or c.lease_until < clock_timestamp())`;

/**
 * The lane $1, if it has a lease, which then can't end before the claim does: no other lane would look for
 * consumers claimed after its end.
 */
const BY_LANE = 'lane as (select from visit_lanes where id = $1 for key share)';

function claimText({ withs, from, where, order }: Record<ClaimPart, string>): string {
  return `
    with recursive ${withs} ${BY_LANE}, old as (
      select c.* from ${from} ${WITH_CONSUMERS}
       where ${where} and exists (select from lane)
         and k.status = 'active' and k.deleted_at is null and not k.held and k.region = $2
       order by ${order} limit $3
         for update of c skip locked
    )
    ${TAKE}, visited = true, lease_until = null, claim = $4 ${FROM_OLD} ${RETURNING},
            c.consumer_id, c.seen_version, c.seen_target_id, c.seen_target_version,
            case when old.wanted_at is not null then
              greatest(0, extract(epoch from clock_timestamp() - old.wanted_at) * 1000)::float8 end as waited_ms`;
}

type ClaimPart = 'withs' | 'from' | 'where' | 'order';

const CLAIM = claimText({ withs: '', from: 'cursors c', where: WANTING, order: 'c.wanted' });
const CLAIM_LOST = claimText({
  withs: `${LOST_LANES},`,
  from: 'lost join cursors c on c.holder = lost.holder',
  where: `c.visited and ${ANY_LOST}`,
  order: 'c.consumer_id',
});

/** Takes the cursors of up to `limit` consumers that are to be visited, in one statement. */
export async function claim(sql: Sql, { lost, ...of }: Claim): Promise<Claimed[]> {
  const { rows } = await sql.query<
    Taken & {
      consumer_id: string;
      seen_version: number;
      seen_target_id: string | null;
      seen_target_version: number | null;
      waited_ms: number | null;
    }
  >({
    name: lost ? 'claim lost' : 'claim',
    text: lost ? CLAIM_LOST : CLAIM,
    values: [of.holder, of.region, of.limit, of.number],
  });
  return rows.map((row) => ({
    consumerId: row.consumer_id,
    lease: leaseOf(row),
    waitedMs: row.waited_ms,
    confirmed: {
      version: row.seen_version,
      targetId: row.seen_target_id,
      targetVersion: row.seen_target_version,
    },
  }));
}

/** The consumers that a lane has claimed, with their epochs. */
export async function claimedBy(
  sql: Sql,
  holder: string,
): Promise<{ consumerId: string; epoch: number }[]> {
  const { rows } = await sql.query<{ consumer_id: string; epoch: number }>({
    name: 'claimed by',
    text: 'select consumer_id, epoch from cursors where visited and holder = $1',
    values: [holder],
  });
  return rows.map((row) => ({ consumerId: row.consumer_id, epoch: row.epoch }));
}

function leaseOf(row: Taken): Lease {
  const { target_id: id, target_version: version, fault, crashed } = row;
  return {
    epoch: row.epoch,
    waitMs: row.wait_ms,
    position: row.position,
    ahead: row.ahead,
    head: row.head,
    attempt: row.attempt,
    tries: row.tries,
    nextAttemptAt: toUnixMs(row.next_attempt_at),
    askedUntil: toUnixMs(row.asked_until),
    scheduleFrom: toUnixMs(row.schedule_from),
    scheduleAgainFrom: toUnixMs(row.schedule_again_from),
    lastFailure: row.last_failure,
    flow: row.flow,
    ramp: row.ramp,
    sendFrom: performance.now() + row.pace_ms,
    parked: row.parked,
    parkedTotal: row.parked_total,
    faulted: fault === null ? null : crashed ? 'crashed' : 'not started',
    target: id === null || version === null ? null : { id, version },
  };
}

function toUnixMs(time: string | null): number | null {
  return time === null ? null : Date.parse(time);
}

/** Ends senders' leases in one statement, noting how each ended; returns the consumers that are not fenced. */
export async function release(sql: Sql, released: Release[]): Promise<Set<string>> {
  const { rows } = await sql.query<{ consumer_id: string }>({
    name: 'release',
    text: `
      with r as (
        select * from jsonb_to_recordset($1::jsonb) as r(
          consumer_id uuid, epoch bigint, idle boolean, wants text, ${HEAD_COLUMNS},
          flows boolean, flow int, ramp boolean, tried_target bigint, tried_target_id uuid,
          pace_ms float8)
      ), released as (
      update cursors c
         set holder = null, lease_until = null, idle = r.idle, ${UNWATCHED_BUT_WANTED},
             wanted          = case when r.wants is not null then c.position + 1 end,
             wanted_at       = case when r.wants is not null then clock_timestamp() end,
             needs_drain     = r.wants is not distinct from 'drain',
             ${SET_HEAD},
             flow            = case when r.flows then r.flow else c.flow end,
             ramp            = case when r.flows then r.ramp else c.ramp end,
             tried_target    = coalesce(r.tried_target, c.tried_target),
             tried_target_id = coalesce(r.tried_target_id, c.tried_target_id),
             paced_until     = coalesce(clock_timestamp() + make_interval(secs => r.pace_ms / 1000.0), c.paced_until)
        from r
       where c.consumer_id = r.consumer_id and c.epoch = r.epoch
      returning c.consumer_id, r.idle, r.wants
      ), idle as (
        select pg_notify('${CHANNELS.idle}', '') where exists (select from released where idle)
      ), wanting as (
        select pg_notify('${CHANNELS.visits}', '') where exists (select from released where wants = 'visit')
      )
      select consumer_id, (select count(*) from idle), (select count(*) from wanting) from released`,
    values: [JSON.stringify(released.map(rowOf))],
  });
  return new Set(rows.map((row) => row.consumer_id));
}

const UNWATCHED_BUT_WANTED = 'indexed_epoch = null, wanted_version = null, visited = false';

function rowOf(released: Release): Record<string, unknown> {
  const { flow, triedTarget, wants } = released;
  return {
    consumer_id: released.consumerId,
    epoch: released.epoch,
    idle: released.idle || wants !== undefined,
    wants: wants ?? null,
    ...headColumns(released.head),
    flows: flow !== undefined,
    flow: flow?.found ?? null,
    ramp: flow?.ramping ?? false,
    tried_target: triedTarget?.version ?? null,
    tried_target_id: triedTarget?.id ?? null,
    pace_ms: released.paceMs ?? null,
  };
}

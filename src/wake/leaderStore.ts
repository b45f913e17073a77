import { CHANNELS } from '../db/channels.ts';
import type { Pipe, Query, Sql } from '../db/db.ts';
import {
  leaveToDrains,
  LEADING,
  ANY_LOST,
  LOST_LANES,
  setWanted,
  unwatchAll,
  watch,
  WITH_CONSUMERS,
  type Matched,
  type WantedOf,
} from '../progress/cursors.ts';
import { endLapsedLaneLeases } from '../progress/laneLeases.ts';
import { filterOf, isReadable, type StoredFilter } from '../rules/filter.ts';
import type { Filter } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';

/** The leader's rows: which process leads, how far it has matched, and which idle consumers it watches. */
export interface LeaderStore {
  /** Takes the lead under a new epoch, or renews it if `epoch` is still in force; null while another process leads. */
  lead(holder: string, epoch: number | null, leaseMs: number): Promise<number | null>;
  /** Releases the lead of `epoch`. */
  resign(epoch: number): Promise<void>;
  /** The leader's stored position on a stream. */
  position(stream: StreamName): Promise<number>;
  /** Idle consumers that the leader does not watch, whether their filters can be read or not. */
  unwatched(limit: number): Promise<Idle[]>;
  /**
   * Ends the watch over all consumers, because a new leader begins. Each stays at the leader's position, so
   * that nothing is matched again and no filter edit reaches back behind it.
   */
  unwatchAll(): Promise<void>;
  /**
   * Notes that these consumers are watched, at the leader's position unless they want an entry; fenced by
   * `epoch`.
   */
  watch(epoch: number, watched: Matched[]): Promise<void>;
  /**
   * Moves the leader's position and notes which entries idle consumers want, in one transaction, fenced by
   * `epoch`. False when this process is no longer the leader.
   */
  advance(advance: Advance): Promise<boolean>;
  /** Hints the lanes of visits that there is something to claim. */
  hintVisits(): Promise<void>;
  /**
   * Leaves consumers that lanes of visits were to serve to their own drains, because there are no lanes;
   * returns those for which that is new.
   */
  leaveToDrains(): Promise<{ consumerId: string; wanted: number }[]>;
  /**
   * Consumers that want an entry and have no sender: those that need a drain first, then those with the lowest
   * wanted positions; in this order, those that follow `after`, if it is given.
   */
  wanting(limit: number, after?: Wanting | null): Promise<Wanting[]>;
}

/** A consumer that wants an entry and has no sender. */
export interface Wanting {
  consumerId: string;
  wanted: number;
  /** Whether no lane of visits may claim it. */
  needsDrain: boolean;
  region: string;
  /** Whether its region has lanes. */
  hasLanes: boolean;
}

/** An idle consumer with its newest filter. */
export interface Idle {
  consumerId: string;
  stream: StreamName;
  position: number;
  filterVersion: number;
  /** Null if it can't be read. */
  filter: Filter | null;
}

/** A step of the leader along a stream. */
export interface Advance {
  epoch: number;
  stream: StreamName;
  from: number;
  to: number;
  wanted: Matched[];
}

type LeaderDb = Sql & { pipe: Pick<Pipe, 'transaction'> };

/**
 * Creates the store of the leader's rows; entries that consumers want are sent by visits or by their own
 * drains, as `by` says.
 */
export function createLeaderStore(db: LeaderDb, by: WantedOf): LeaderStore {
  return {
    lead: (holder, epoch, leaseMs) => lead(db, holder, epoch, leaseMs),
    resign: (epoch) => resign(db, epoch),
    position: (stream) => position(db, stream),
    unwatched: (limit) => unwatched(db, limit),
    unwatchAll: () => unwatchAll(db),
    watch: (epoch, watched) => watch(db, epoch, watched, by),
    advance: (step) => advance(db, step, by),
    hintVisits: () => hintVisits(db),
    leaveToDrains: () => leaveToDrains(db),
    wanting: (limit, after = null) => wanting(db, limit, after),
  };
}

async function lead(
  sql: Sql,
  holder: string,
  epoch: number | null,
  leaseMs: number,
): Promise<number | null> {
  const { rows } = await sql.query<{ epoch: number }>({
    text: `
      update leader
         set epoch       = case when epoch = $2 and holder = $1 then epoch else epoch + 1 end,
             holder      = $1,
             lease_until = clock_timestamp() + make_interval(secs => $3 / 1000.0)
       where name = 'wake'
         and (holder = $1 or holder is null or lease_until < clock_timestamp())
      returning epoch`,
    values: [holder, epoch, leaseMs],
  });
  return rows[0]?.epoch ?? null;
}

async function resign(sql: Sql, epoch: number): Promise<void> {
  await sql.query({
    text: `update leader set holder = null, lease_until = null where epoch = $1`,
    values: [epoch],
  });
}

async function position(sql: Sql, stream: StreamName): Promise<number> {
  const { rows } = await sql.query<{ position: number }>({
    text: 'select position from tails where stream = $1',
    values: [stream],
  });
  return rows[0]?.position ?? 0;
}

const IS_ACTIVE = `k.status = 'active' and k.deleted_at is null`;

async function unwatched(sql: Sql, limit: number): Promise<Idle[]> {
  const { rows } = await sql.query<
    StoredFilter & {
      consumer_id: string;
      stream: StreamName;
      position: number;
      filter_version: number;
    }
  >({
    text: `
      select c.consumer_id, k.stream, c.position, k.filter_version, f.syncs, f.collections, f.event_types
        from cursors c ${WITH_CONSUMERS}
        left join filter_versions f on f.consumer_id = k.id and f.version = k.filter_version
       where c.idle and c.wanted is null and c.indexed_epoch is null and ${IS_ACTIVE}
       limit $1`,
    values: [limit],
  });
  return rows.map((row) => ({
    consumerId: row.consumer_id,
    stream: row.stream,
    position: row.position,
    filterVersion: row.filter_version,
    filter: isReadable(row) ? filterOf(row) : null,
  }));
}

async function advance(
  { pipe }: Pick<LeaderDb, 'pipe'>,
  { epoch, stream, from, to, wanted }: Advance,
  by: WantedOf,
): Promise<boolean> {
  // The leader's position is locked before cursors, the same order as in a command's transaction.
  const [, moved] = await pipe.transaction([
    { text: LEADING, values: [epoch] },
    {
      text: `
        update tails set position = $3
         where stream = $1 and position = $2 and exists (select from leader where epoch = $4)`,
      values: [stream, from, to, epoch],
    },
    ...(wanted.length === 0 ? [] : [setWanted(epoch, wanted, by)]),
    ...(wanted.length === 0 || by === 'drain' ? [] : [VISIT]),
  ]);
  return moved?.rowCount === 1;
}

const VISIT: Query = { text: `select pg_notify('${CHANNELS.visits}', '')` };

async function hintVisits(sql: Sql): Promise<void> {
  await sql.query(VISIT);
}

async function wanting(sql: Sql, limit: number, after: Wanting | null): Promise<Wanting[]> {
  await endLapsedLaneLeases(sql); // there may be no lane to do it
  const { rows } = await sql.query<{
    consumer_id: string;
    wanted: number;
    needs_drain: boolean;
    region: string;
    has_lanes: boolean;
  }>({
    text: `
      with recursive ${LOST_LANES}
      select w.*, exists (select from visit_lanes v where v.region = w.region) as has_lanes from (
        select c.consumer_id, c.wanted, c.needs_drain, k.region from cursors c ${WITH_CONSUMERS}
         where c.wanted is not null and c.idle and ${IS_ACTIVE}
           and (c.holder is null or c.lease_until < clock_timestamp())
         union all
        -- those whose lane has died
        select c.consumer_id, c.position + 1, false, k.region
          from lost join cursors c on c.visited and c.holder = lost.holder ${WITH_CONSUMERS}
         where ${ANY_LOST} and ${IS_ACTIVE}
      ) w
       where $2::uuid is null
          or (not needs_drain, wanted, consumer_id) > (not $3::boolean, $4::bigint, $2::uuid)
       order by not needs_drain, wanted, consumer_id limit $1`,
    values: [limit, after?.consumerId ?? null, after?.needsDrain ?? null, after?.wanted ?? null],
  });
  return rows.map((row) => ({
    consumerId: row.consumer_id,
    wanted: row.wanted,
    needsDrain: row.needs_drain,
    region: row.region,
    hasLanes: row.has_lanes,
  }));
}

import type { Pipe, Sql } from '../db/db.ts';
import type { Filter } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';

/** The leader's rows: who leads, how far it has matched, which idle consumers it watches. */
export interface LeaderStore {
  /** Takes the lead under a new epoch, or renews it when `epoch` is still its own; null while another holds it. */
  lead(holder: string, epoch: number | null, leaseMs: number): Promise<number | null>;
  resign(epoch: number): Promise<void>;
  position(stream: StreamName): Promise<number>;
  /** Idle consumers that no leader watches. */
  unwatched(limit: number): Promise<Idle[]>;
  /**
   * No consumer is watched any more: a new leader begins. Each stays where it is, at the leader's position,
   * so that nothing is matched again and no filter edit reaches back behind it.
   */
  unwatchAll(): Promise<void>;
  /** From now on these are at the leader's position unless they want something; fenced by `epoch`. */
  watch(epoch: number, watched: Matched[]): Promise<void>;
  /**
   * Moves the leader's position and notes what idle consumers want, in one transaction, fenced by `epoch`.
   * False when this process does not lead any more.
   */
  advance(advance: Advance): Promise<boolean>;
  /** Consumers that want something and have no sender, least recently asked for first. */
  wanting(limit: number): Promise<{ consumerId: string; wanted: number }[]>;
}

export interface Idle {
  consumerId: string;
  stream: StreamName;
  position: number;
  filterVersion: number;
  filter: Filter;
}

export interface Advance {
  epoch: number;
  stream: StreamName;
  from: number;
  to: number;
  wanted: Matched[];
}

export interface Matched {
  consumerId: string;
  filterVersion: number;
  /** The first match; null when there was none. */
  position: number | null;
}

type LeaderDb = Sql & { pipe: Pick<Pipe, 'transaction'> };

/** Keeps the lead from passing on before the transaction ends, which otherwise could commit after it has. */
const LEADING = 'select epoch from leader where epoch = $1 for share';

export function createLeaderStore(db: LeaderDb): LeaderStore {
  return {
    lead: (holder, epoch, leaseMs) => lead(db, holder, epoch, leaseMs),
    resign: (epoch) => resign(db, epoch),
    position: (stream) => position(db, stream),
    unwatched: (limit) => unwatched(db, limit),
    unwatchAll: () => unwatchAll(db),
    watch: (epoch, watched) => watch(db, epoch, watched),
    advance: (step) => advance(db, step),
    wanting: (limit) => wanting(db, limit),
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

async function unwatched(sql: Sql, limit: number): Promise<Idle[]> {
  const { rows } = await sql.query<{
    consumer_id: string;
    stream: StreamName;
    position: number;
    filter_version: number;
    syncs: string[];
    collections: string[];
    event_types: string[];
  }>({
    text: `
      select c.consumer_id, k.stream, c.position, k.filter_version, f.syncs, f.collections, f.event_types
        from cursors c
        join consumers k on k.id = c.consumer_id and k.status = 'active' and k.deleted_at is null
        join filter_versions f on f.consumer_id = k.id and f.version = k.filter_version
       where c.idle and c.wanted is null and c.indexed_epoch is null
       limit $1`,
    values: [limit],
  });
  return rows.map((row) => ({
    consumerId: row.consumer_id,
    stream: row.stream,
    position: row.position,
    filterVersion: row.filter_version,
    filter: { syncs: row.syncs, collections: row.collections, event_types: row.event_types },
  }));
}

async function unwatchAll(sql: Sql): Promise<void> {
  await sql.query(`
    update cursors c
       set indexed_epoch = null,
           position      = case when c.wanted is null then greatest(c.position, t.position)
                                else c.position end
      from consumers k join tails t on t.stream = k.stream
     where k.id = c.consumer_id and c.idle and c.indexed_epoch is not null`);
}

async function watch(sql: Sql, epoch: number, watched: Matched[]): Promise<void> {
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

async function advance(
  { pipe }: Pick<LeaderDb, 'pipe'>,
  { epoch, stream, from, to, wanted }: Advance,
): Promise<boolean> {
  // The leader's position before cursors: the same order as an edit's transaction.
  const [, moved] = await pipe.transaction([
    { text: LEADING, values: [epoch] },
    {
      text: `
        update tails set position = $3
         where stream = $1 and position = $2 and exists (select from leader where epoch = $4)`,
      values: [stream, from, to, epoch],
    },
    {
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
    },
  ]);
  return moved?.rowCount === 1;
}

async function wanting(sql: Sql, limit: number): Promise<{ consumerId: string; wanted: number }[]> {
  const { rows } = await sql.query<{ consumer_id: string; wanted: number }>({
    text: `
      select c.consumer_id, c.wanted from cursors c
        join consumers k on k.id = c.consumer_id and k.status = 'active' and k.deleted_at is null
       where c.wanted is not null and c.idle
         and (c.holder is null or c.lease_until < clock_timestamp())
       order by c.wanted limit $1`,
    values: [limit],
  });
  return rows.map((row) => ({ consumerId: row.consumer_id, wanted: row.wanted }));
}

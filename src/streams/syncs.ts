import { ADVISORY_LOCKS } from '../db/advisoryLocks.ts';
import type { Db } from '../db/db.ts';
import type { Collection, Sync } from '../schema/stream.ts';

/** A place in a list that is sorted by last change, newest first. */
export type SyncPlace = readonly string[];

export interface Listing<T> {
  data: T[];
  next: SyncPlace | null;
}

export interface Syncs {
  /** Counts what was appended since the last time; exact up to the stream's end when it resolves. */
  rollUp(): Promise<void>;
  /** What the events have shown or someone has named. */
  list(options: { limit: number; after: SyncPlace | null }): Promise<Listing<Sync>>;
  collections(options: {
    syncId: string | null;
    limit: number;
    after: SyncPlace | null;
  }): Promise<Listing<Collection>>;
  /** Sets what is given and keeps the rest. */
  put(syncId: string, fields: { name?: string | null; metadata?: object }): Promise<Sync>;
}

/** Events counted by one transaction. */
const STEP = 100_000;
const BEGINNING: SyncPlace = ['infinity', '', ''];

/** What the streams have seen, with exact counts that are kept by rolling up the events once each. */
export function createSyncs(db: Pick<Db, 'query' | 'transaction'>): Syncs {
  async function rollUp(): Promise<void> {
    const { rows } = await db.query<{ last: number; counted: number }>(
      `select last_position as last, rolled_up as counted from streams where name = 'events'`,
    );
    const { last, counted } = rows[0]!;
    for (let from = counted; from < last;) from = await count(last);
  }

  async function count(last: number): Promise<number> {
    return db.transaction(async (tx) => {
      await tx.query(`select pg_advisory_xact_lock(${ADVISORY_LOCKS.countEvents})`);
      const { rows } = await tx.query<{ counted: number }>(
        `select rolled_up as counted from streams where name = 'events'`,
      );
      const from = rows[0]!.counted;
      const to = Math.max(from, Math.min(last, from + STEP));
      await tx.query({
        text: `with counted as (
                 select sync_id, collection_id, count(*) as events, max(event_inserted_at) as last_at
                   from events
                  where position > $1 and position <= $2
                  group by sync_id, collection_id
               ), by_sync as (
                 insert into syncs as old (sync_id, events, last_at)
                 select sync_id, sum(events), max(last_at) from counted group by sync_id
                     on conflict (sync_id) do update
                    set events  = old.events + excluded.events,
                        last_at = greatest(old.last_at, excluded.last_at)
               )
               insert into collections as old (sync_id, collection_id, events, last_at)
               select sync_id, collection_id, events, last_at from counted
               on conflict (sync_id, collection_id) do update
                  set events  = old.events + excluded.events,
                      last_at = greatest(old.last_at, excluded.last_at)`,
        values: [from, to],
      });
      // last, since appends wait for this line
      await tx.query({
        text: `update streams set rolled_up = $1 where name = 'events' and rolled_up < $1`,
        values: [to],
      });
      return to;
    });
  }

  async function list({
    limit,
    after,
  }: {
    limit: number;
    after: SyncPlace | null;
  }): Promise<Listing<Sync>> {
    const [at, syncId] = after ?? BEGINNING;
    const { rows } = await db.query<Sync & { place: string }>({
      text: `with page as materialized (
               select * from syncs
                where (last_at, sync_id) < ($1::timestamptz, $2)
                order by last_at desc, sync_id desc
                limit $3
             )
             select sync_id, name, metadata, events, records.count as records,
                    nullif(last_at, '-infinity') as last_at, last_at::text as place
               from page, lateral (select count(*) from records r where r.sync_id = page.sync_id) records
              order by page.last_at desc, sync_id desc`,
      values: [at, syncId, limit + 1],
    });
    return toListing(
      rows,
      limit,
      ({ place, sync_id }) => [place, sync_id],
      ({ place: _, ...sync }) => sync,
    );
  }

  async function collections({
    syncId,
    limit,
    after,
  }: {
    syncId: string | null;
    limit: number;
    after: SyncPlace | null;
  }): Promise<Listing<Collection>> {
    const [at, afterSync, afterCollection] = after ?? BEGINNING;
    const { rows } = await db.query<Collection & { place: string }>({
      text: `with page as (
               select sync_id, collection_id, events, last_at
                 from collections
                where ($5::text is null or sync_id = $5)
                  and (last_at, sync_id, collection_id) < ($1::timestamptz, $2, $3)
                order by last_at desc, sync_id desc, collection_id desc
                limit $4
             )
             select sync_id, collection_id, split_part(collection_id, ':', 1) as provider, events,
                    records.count as records, last_at, last_at::text as place
               from page, lateral (
                 select count(*) from records r
                  where r.sync_id = page.sync_id and r.collection_id = page.collection_id
               ) records
              order by page.last_at desc, sync_id desc, collection_id desc`,
      values: [at, afterSync, afterCollection, limit + 1, syncId],
    });
    return toListing(
      rows,
      limit,
      ({ place, sync_id, collection_id }) => [place, sync_id, collection_id],
      ({ place: _, ...collection }) => collection,
    );
  }

  async function put(
    syncId: string,
    { name, metadata }: { name?: string | null; metadata?: object },
  ): Promise<Sync> {
    const { rows } = await db.query<Sync>({
      text: `with stored as (
               insert into syncs as old (sync_id, name, metadata)
               values ($1, $2, coalesce($3::jsonb, '{}'))
               on conflict (sync_id) do update
                  set name     = case when $4 then $2 else old.name end,
                      metadata = coalesce($3::jsonb, old.metadata)
               returning *
             )
             select sync_id, name, metadata, events, records.count as records,
                    nullif(last_at, '-infinity') as last_at
               from stored, (select count(*) from records where sync_id = $1) records`,
      values: [
        syncId,
        name ?? null,
        metadata === undefined ? null : JSON.stringify(metadata),
        name !== undefined,
      ],
    });
    return rows[0]!;
  }

  return { rollUp, list, collections, put };
}

function toListing<Row, T>(
  rows: Row[],
  limit: number,
  placeOf: (row: Row) => SyncPlace,
  toItem: (row: Row) => T,
): Listing<T> {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    data: page.map(toItem),
    next: rows.length > limit && last !== undefined ? placeOf(last) : null,
  };
}

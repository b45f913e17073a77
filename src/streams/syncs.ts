import type { Db, Sql } from '../db/db.ts';
import type { Collection, Sync } from '../schema/stream.ts';
import { rollUp } from './rollUp.ts';

/** A place in a list that is sorted by last change, newest first. */
export type SyncPlace = readonly string[];

/** A page of a list; `next` is the place after which the next page begins, null at the end. */
export interface Listing<T> {
  data: T[];
  next: SyncPlace | null;
}

/** Which part of a list to read. */
export interface SyncsPage {
  limit: number;
  /** The place where the previous page ended; null for the first page. */
  after: SyncPlace | null;
}

/** The syncs and collections that have appeared in the events stream. */
export interface Syncs {
  /** Adds everything that was appended since the last call to the counts, which are then exact. */
  rollUp(): Promise<void>;
  /** Lists the syncs that have appeared in events or that `put` has stored. */
  list(page: SyncsPage): Promise<Listing<Sync>>;
  /** Lists the collections of one sync, or of all syncs (null). */
  collections(page: SyncsPage & { syncId: string | null }): Promise<Listing<Collection>>;
  /** Sets the given fields of a sync, which need not exist yet, and keeps the others. */
  put(syncId: string, fields: { name?: string | null; metadata?: object }): Promise<Sync>;
}

const BEGINNING: SyncPlace = ['infinity', '', ''];

/** Creates the store of syncs. Each record and each event is counted once, by `rollUp`. */
export function createSyncs(db: Pick<Db, 'query' | 'transaction'>): Syncs {
  return {
    rollUp: () => rollUp(db),
    list: (page) => list(db, page),
    collections: (page) => collections(db, page),
    put: (syncId, fields) => put(db, syncId, fields),
  };
}

async function list(sql: Sql, { limit, after }: SyncsPage): Promise<Listing<Sync>> {
  const [at, syncId] = after ?? BEGINNING;
  const { rows } = await sql.query<Sync & { place: string }>({
    text: `select sync_id, name, metadata, events, records,
                  nullif(last_at, '-infinity') as last_at, last_at::text as place
             from syncs
            where (last_at, sync_id) < ($1::timestamptz, $2)
            order by syncs.last_at desc, sync_id desc
            limit $3`,
    values: [at, syncId, limit + 1],
  });
  return toListing(
    rows,
    limit,
    ({ place, sync_id }) => [place, sync_id],
    ({ place: _, ...sync }) => sync,
  );
}

async function collections(
  sql: Sql,
  { syncId, limit, after }: SyncsPage & { syncId: string | null },
): Promise<Listing<Collection>> {
  const [at, afterSync, afterCollection] = after ?? BEGINNING;
  const { rows } = await sql.query<Collection & { place: string }>({
    text: `select sync_id, collection_id, split_part(collection_id, ':', 1) as provider, events, records,
                  last_at, last_at::text as place
             from collections
            where ($5::text is null or sync_id = $5)
              and (last_at, sync_id, collection_id) < ($1::timestamptz, $2, $3)
            order by last_at desc, sync_id desc, collection_id desc
            limit $4`,
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
  sql: Sql,
  syncId: string,
  { name, metadata }: { name?: string | null; metadata?: object },
): Promise<Sync> {
  const { rows } = await sql.query<Sync>({
    text: `with stored as (
             insert into syncs as old (sync_id, name, metadata)
             values ($1, $2, coalesce($3::jsonb, '{}'))
             on conflict (sync_id) do update
                set name     = case when $4 then $2 else old.name end,
                    metadata = coalesce($3::jsonb, old.metadata)
             returning *
           )
           select sync_id, name, metadata, events, records, nullif(last_at, '-infinity') as last_at
             from stored`,
    values: [
      syncId,
      name ?? null,
      metadata === undefined ? null : JSON.stringify(metadata),
      name !== undefined,
    ],
  });
  return rows[0]!;
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

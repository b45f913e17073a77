import type { Sql } from '../db/db.ts';
import type { SearchHit } from '../schema/search.ts';
import { cursorOf } from '../streams/cursor.ts';
import { createPages } from '../streams/pages.ts';
import { madeAt } from './terms.ts';

/** What was found of a kind. */
export type Hit<K extends SearchHit['kind']> = Extract<SearchHit, { kind: K }>;
/** A record as it is read. */
export type RecordRow = Omit<Hit<'record'>, 'cursor'>;

const EVENT = `'event' as kind, event_id, event, sync_id, collection_id, upstream_id, position,
  event_inserted_at`;
/** The columns of a record `r` that was found. */
export const RECORD = `'record' as kind, r.sync_id, r.collection_id, r.upstream_id, r.position, r.version_id,
  r.deleted, r.updated_at`;

/** Records are looked up in at most so many collections, those with the newest events first. */
const COLLECTIONS = 10_000;
/** A collection that is not known yet is searched for among so many of the newest records. */
const NEWEST_RECORDS = 1_000;
/** Entries have no index by their trace, and events none by their record: only so many of the newest ones are searched. */
export const NEWEST_ENTRIES = 10_000;
/** The clocks of the processes that append differ from that of Postgres by no more than this, ms. */
const CLOCKS_MS = 10_000;
const NEAR = 100_000;

/** Finds an event by its `event_id`, which is the `webhook-id` of its webhooks. */
export async function findEvent(sql: Sql, id: string): Promise<Hit<'event'>[]> {
  const { rows } = await sql.query<Hit<'event'>>({
    text: `
      select ${EVENT} from events
       where position = (select position from event_ids where event_id = $1)`,
    values: [id],
  });
  return rows;
}

/** Finds records by their whole upstream id, the last changed first. */
export async function findRecords(
  sql: Sql,
  upstreamId: string,
  limit: number,
): Promise<Hit<'record'>[]> {
  const { rows } = await sql.query<RecordRow>({
    // The inner limit keeps the search at one look-up by primary key for each collection.
    text: `
      with known as (
        (select sync_id, collection_id from collections
          order by last_at desc, sync_id desc, collection_id desc limit ${COLLECTIONS})
        union
        select sync_id, collection_id
          from (select sync_id, collection_id from records
                 order by position desc limit ${NEWEST_RECORDS}) newest
      )
      select r.* from known
       cross join lateral (
         select ${RECORD} from records r
          where r.sync_id = known.sync_id and r.collection_id = known.collection_id
            and r.upstream_id = $1
          limit 1
       ) r
       order by r.position desc
       limit $2`,
    values: [upstreamId, limit],
  });
  return rows.map(withCursor);
}

/** Finds the newest events of records with an upstream id, among the newest 10,000 of the stream. */
export function findEventsOf(sql: Sql, upstreamId: string, limit: number): Promise<Hit<'event'>[]> {
  return findNewestEvents(sql, 'upstream_id = $1', [upstreamId, limit]);
}

/** Finds the newest events that satisfy a condition on $1, among the newest 10,000 of the stream; $2 is the limit. */
export async function findNewestEvents(
  sql: Sql,
  condition: string,
  values: [value: string, limit: number],
): Promise<Hit<'event'>[]> {
  const { rows } = await sql.query<Hit<'event'>>({
    text: `
      select ${EVENT}
        from (select position, event_id, event, sync_id, collection_id, upstream_id, event_inserted_at, traceparent
                from events order by position desc limit ${NEWEST_ENTRIES}) newest
       where ${condition}
       order by position desc
       limit $2`,
    values,
  });
  return rows;
}

/**
 * Finds a record by its `version_id`, which is the `webhook-id` on the records stream, for as long as that
 * version is the latest. There is no index for it, but the id says when it was made, and versions are in the
 * order of time.
 */
export async function findVersion(sql: Sql, versionId: string): Promise<Hit<'record'>[]> {
  const at = madeAt(versionId);
  if (at === null) return [];
  const pages = createPages(sql);
  const place = (ms: number): Promise<number> =>
    pages.positionAtTime('records', new Date(ms).toISOString());
  const { rows } = await sql.query<RecordRow>({
    text: `
      select r.*
        from (select ${RECORD} from records r
               where position > $2 and position <= $3
               order by position limit ${NEAR}) r
       where r.version_id = $1`,
    values: [versionId, await place(at - CLOCKS_MS), await place(at + CLOCKS_MS)],
  });
  return rows.map(withCursor);
}

/** A record that was found, with the cursor after which the stream begins with it. */
export function withCursor(row: RecordRow): Hit<'record'> {
  return { ...row, cursor: cursorOf('records', row.position - 1) };
}

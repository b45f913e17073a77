import { ADVISORY_LOCKS } from '../db/advisoryLocks.ts';
import type { Db, Sql } from '../db/db.ts';
import { withLongStatements } from '../db/longStatements.ts';

/** How many positions of the events stream one transaction counts. */
const STEP = 100_000;

/**
 * Adds the records and events that were appended since the last call to the counts of syncs and collections,
 * which are then exact.
 */
export async function rollUp(db: Pick<Db, 'query' | 'transaction'>): Promise<void> {
  // Records first: the events of the counted records are stored by then as well.
  await db.transaction(countRecords);
  const { rows } = await db.query<{ last: number; counted: number }>(
    `select last_position as last, rolled_up as counted from streams where name = 'events'`,
  );
  const { last, counted } = rows[0]!;
  let upTo = counted;
  while (upTo < last) upTo = await db.transaction((tx) => countEvents(tx, last));
}

/** Counts the next step, at most up to `last`; returns the position up to which everything is counted. */
async function countEvents(tx: Sql, last: number): Promise<number> {
  await lock(tx);
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
  await noteCounted(tx, 'events', { position: to, at: '-infinity' });
  return to;
}

/**
 * Counts the records that were created since the last count, among those that have changed since. The creation
 * of a record has no position, but a time, and times never go back within a stream. So a record that was
 * created later than the entry up to which records are counted is not counted yet, and one that was created
 * earlier is. Records of exactly that time may be either (for example if the clock stands still): their whole
 * collections are then counted again.
 */
async function countRecords(tx: Sql): Promise<void> {
  if ((await countedRecords(tx)) === null) return;
  await lock(tx);
  const from = await countedRecords(tx);
  if (from === null) return; // another process has counted meanwhile
  const long = await withLongStatements(tx);
  const { rows } = await long.query<{ position: number; at: string }>({
    text: `
      with changed as (
        select sync_id, collection_id, max(updated_at) as last_at,
               count(*) filter (where created_at > $2::timestamptz) as fresh,
               bool_or(created_at = $2::timestamptz) as unsure
          from records
         where position > $1
         group by sync_id, collection_id
      ), counted as materialized (
        select sync_id, collection_id, c.last_at, coalesce(old.records, 0) as before,
               case when not unsure then coalesce(old.records, 0) + fresh
                    else (select count(*) from records r
                           where r.sync_id = c.sync_id and r.collection_id = c.collection_id) end as records
          from changed c left join collections old using (sync_id, collection_id)
      ), by_sync as (
        insert into syncs as old (sync_id, records, last_at)
        select sync_id, sum(records - before), max(last_at) from counted group by sync_id
            on conflict (sync_id) do update set records = old.records + excluded.records
      ), by_collection as (
        insert into collections (sync_id, collection_id, events, records, last_at)
        select sync_id, collection_id, 0, records, last_at from counted
            on conflict (sync_id, collection_id) do update set records = excluded.records
      )
      select last_position as position, last_at::text as at from streams where name = 'records'`,
    values: [from.position, from.at],
  });
  await noteCounted(tx, 'records', rows[0]!);
}

/** The position up to which records are counted, and the time of that entry; null when there are no later ones. */
async function countedRecords(tx: Sql): Promise<{ position: number; at: string } | null> {
  const { rows } = await tx.query<{ position: number; at: string }>(
    `select rolled_up as position, rolled_up_at::text as at from streams
      where name = 'records' and last_position > rolled_up`,
  );
  return rows[0] ?? null;
}

/** Lets one process count at a time. */
async function lock(tx: Sql): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(${ADVISORY_LOCKS.countEvents})`);
}

/**
 * Stores the position up to which a stream is counted; at the end of a transaction, because appends wait for
 * this row.
 */
async function noteCounted(
  tx: Sql,
  stream: 'records' | 'events',
  { position, at }: { position: number; at: string },
): Promise<void> {
  await tx.query({
    text: `update streams set rolled_up = $2, rolled_up_at = $3 where name = $1 and rolled_up < $2`,
    values: [stream, position, at],
  });
}

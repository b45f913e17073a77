import { ADVISORY_LOCKS } from '../db/advisoryLocks.ts';
import type { Db } from '../db/db.ts';

/** How many positions one transaction counts. */
const STEP = 100_000;

/** Adds the events appended since the last call to the counts of syncs and collections; then these are exact. */
export async function rollUp(db: Pick<Db, 'query' | 'transaction'>): Promise<void> {
  const { rows } = await db.query<{ last: number; counted: number }>(
    `select last_position as last, rolled_up as counted from streams where name = 'events'`,
  );
  const { last, counted } = rows[0]!;
  let upTo = counted;
  while (upTo < last) upTo = await count(db, last);
}

/** Counts the next step, at most up to `last`; returns the position up to which everything is counted. */
async function count(db: Pick<Db, 'transaction'>, last: number): Promise<number> {
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
    // At the end, because appends wait for this row.
    await tx.query({
      text: `update streams set rolled_up = $1 where name = 'events' and rolled_up < $1`,
      values: [to],
    });
    return to;
  });
}

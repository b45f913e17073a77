import type { Sql } from '../db/db.ts';

/**
 * The part of a commit that turns the rows of `parked_gone` that have died into dead letters. An
 * earlier dead letter of the same entry is replaced, and the new one is reported again.
 */
export const BURY = `
    insert into dead_letters (id, consumer_id, position, message_id, sync_id, collection_id,
                              upstream_id, event, body, traceparent, attempts, parked_at, died_at,
                              last_failure)
    select id, consumer_id, position, message_id, sync_id, collection_id, upstream_id, event, body,
           traceparent, tried, parked_at, died_at, death
      from parked_gone where died_at is not null
        on conflict (consumer_id, position) do update
       set id = excluded.id, attempts = excluded.attempts, died_at = excluded.died_at,
           last_failure = excluded.last_failure, told = false`;

/** The part of a statement that deletes and returns the dead letters $3 of consumer $1; null: all of them. */
export const TAKE_OUT = `
    delete from dead_letters
     where consumer_id = $1 and ($3::uuid[] is null or id = any($3))
    returning *`;

/** The part of a statement that marks, and returns, the dead letters of consumer $1 that no digest has reported. */
export const MARK_TOLD = `
    update dead_letters set told = true where consumer_id = $1 and not told
    returning id, last_failure`;

/** Deletes a dead letter; false when there was none. */
export async function removeDeadLetter(sql: Sql, consumerId: string, id: string): Promise<boolean> {
  const { rowCount } = await sql.query({
    text: 'delete from dead_letters where consumer_id = $1 and id = $2',
    values: [consumerId, id],
  });
  return rowCount === 1;
}

import type { Sql } from '../db/db.ts';

/**
 * SQL: whether something was surely or possibly sent to the target `t`, by the minutes that are counted: it has one of
 * its own, or it is older than what is kept of them. What was sent since they were counted is not in it.
 */
export const COUNTED_AS_TRIED = `(
  exists (select from target_minutes m where m.target_id = t.id)
  or coalesce(t.created_at < (select min(at) from attempt_minutes), false))`;

/**
 * Which of these targets something was sent to after the last minute that is counted, which may be one or two minutes
 * ago. Meant for the few that have no counted minute: it looks at each of their consumers.
 */
export async function triedLately(sql: Sql, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const { rows } = await sql.query<{ id: string }>({
    text: `
      with counted as (
        select coalesce(max(at) + interval '1 min', timestamptz 'epoch') as until from attempt_minutes
      )
      select t.id from unnest($1::uuid[]) t(id)
       where exists (
         select from consumers k
          where k.target_id = t.id and k.deleted_at is null
            and (exists (select from attempt_batches b
                          where b.consumer_id = k.id and b.committed_at >= (select until from counted))
                 or exists (select from attempts a
                             where a.consumer_id = k.id and a.stored_at >= (select until from counted))))`,
    values: [ids],
  });
  return new Set(rows.map(({ id }) => id));
}

import type { Sql } from '../db/db.ts';
import { SHOWN_POSITION } from '../rules/positionSql.ts';

/**
 * Notes for each minute how much waits for every consumer that has something to do, as an upper
 * bound, in one statement. One without a sample was idle and had nothing waiting. Safe to call
 * from any number of processes.
 */
export async function sampleLag(sql: Sql): Promise<void> {
  await sql.query(`
    insert into lag_samples (consumer_id, at, entries)
    select id, date_trunc('minute', clock_timestamp()), entries
      from (
        select k.id, c.idle,
               greatest(0, s.last_position - cardinality(c.ahead) - ${SHOWN_POSITION}) as entries
          from consumers k
          join cursors c on c.consumer_id = k.id
          join streams s on s.name = k.stream
          join tails t on t.stream = k.stream
          join leader l on l.name = 'wake'
         where k.deleted_at is null
      ) waiting
     where entries > 0 or not idle
    on conflict do nothing`);
}

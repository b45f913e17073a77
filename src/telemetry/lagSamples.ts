import type { Sql } from '../db/db.ts';
import { LEADER_JOINS, SHOWN_POSITION } from '../rules/positionSql.ts';

/**
 * Records how many entries wait for each busy consumer in this minute, as an upper bound. A consumer
 * without a sample was idle with nothing waiting. Any number of processes may call it.
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
          ${LEADER_JOINS}
         where k.deleted_at is null
      ) waiting
     where entries > 0 or not idle
    on conflict do nothing`);
}

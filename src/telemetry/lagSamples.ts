import type { Sql } from '../db/db.ts';
import { LEADER_JOINS, SHOWN_POSITION } from '../rules/positionSql.ts';
import { readerFrom } from '../rules/readerSql.ts';
import { countWaiting, type Reader } from '../streams/waiting.ts';

/**
 * Records how many entries wait for each busy consumer in this minute, counted as the API counts them. A
 * consumer without a sample was idle and had nothing waiting. Any number of processes may call it.
 */
export async function sampleLag(sql: Sql): Promise<void> {
  const { rows } = await sql.query<{ id: string; minute: string; idle: boolean; reader: Reader }>({
    name: 'lag to sample',
    text: `
      select k.id, date_trunc('minute', clock_timestamp()) as minute, c.idle or c.visited as idle,
             ${readerFrom('stand.shown')} as reader
        from consumers k
        join cursors c on c.consumer_id = k.id
        join streams s on s.name = k.stream
        ${LEADER_JOINS}
       cross join lateral (select ${SHOWN_POSITION} as shown) stand
       where k.deleted_at is null and (stand.shown < s.last_position or not (c.idle or c.visited))`,
  });
  const waiting = await countWaiting(
    sql,
    rows.map(({ reader }) => reader),
  );
  const samples = rows
    .map(({ id, minute, idle }, index) => ({ id, minute, idle, entries: waiting[index]!.entries }))
    .filter(({ idle, entries }) => entries > 0 || !idle);
  await sql.query({
    name: 'sample lag',
    text: `
      insert into lag_samples (consumer_id, at, entries)
      select id, at, entries from unnest($1::uuid[], $2::timestamptz[], $3::bigint[]) as s(id, at, entries)
          on conflict do nothing`,
    values: [
      samples.map(({ id }) => id),
      samples.map(({ minute }) => minute),
      samples.map(({ entries }) => entries),
    ],
  });
}

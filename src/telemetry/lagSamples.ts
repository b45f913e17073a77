import type { Sql } from '../db/db.ts';
import { LEADER_JOINS, SHOWN_POSITION } from '../rules/positionSql.ts';
import { readerFrom } from '../rules/readerSql.ts';
import { countWaiting, type Reader } from '../streams/waiting.ts';

/**
 * The CTE `sampled`: the newest sample of each consumer (consumer_id, at, entries, exact, oldest), of this minute or the
 * one before. A consumer without one was idle with nothing waiting, or has something to do only since.
 */
export const SAMPLED = `
  sampled as (
    select distinct on (consumer_id) consumer_id, at, entries, exact, oldest from lag_samples
     where at >= date_bin('1 min', now(), timestamptz 'epoch') - interval '1 min'
     order by consumer_id, at desc
  )`;

/**
 * Records what waits for each busy consumer in this minute, counted as the API counts it, and that this minute was
 * sampled: then a consumer without a sample was idle with nothing waiting. Any number of processes may call it.
 */
export async function sampleLag(sql: Sql): Promise<void> {
  const { rows: times } = await sql.query<{ minute: string }>({
    name: 'minute to sample',
    text: `select date_trunc('minute', clock_timestamp()) as minute`,
  });
  const minute = times[0]!.minute;
  const { rows } = await sql.query<{ id: string; idle: boolean; reader: Reader }>({
    name: 'lag to sample',
    text: `
      select k.id, c.idle or c.visited as idle, ${readerFrom('stand.shown')} as reader
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
    .map(({ id, idle }, index) => ({ id, idle, ...waiting[index]! }))
    .filter(({ idle, entries }) => entries > 0 || !idle);
  await sql.query({
    name: 'sample lag',
    text: `
      with noted as (
        insert into lag_minutes (at) values ($2::timestamptz) on conflict do nothing
      )
      insert into lag_samples (consumer_id, at, entries, exact, oldest)
      select id, $2::timestamptz, entries, exact, case when entries > 0 then clock_timestamp() - seconds * interval '1 s' end
        from unnest($1::uuid[], $3::bigint[], $4::boolean[], $5::float8[]) as s(id, entries, exact, seconds)
          on conflict do nothing`,
    values: [
      samples.map(({ id }) => id),
      minute,
      samples.map(({ entries }) => entries),
      samples.map(({ exact }) => exact),
      samples.map(({ seconds }) => seconds),
    ],
  });
}

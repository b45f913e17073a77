import type { Sql } from '../db/db.ts';
import type { Overview } from '../schema/overview.ts';
import { countMinutes } from './minutesSql.ts';
import { readEdges } from './totalsSeries.ts';

const SHOWN = 5;

type Top = Overview['top'];

/** From when hours are read, up to when they are summed up in advance (null: they are not), and the time now. */
interface Span {
  since: string;
  summed: string | null;
  until: string;
}

const STEP_SECONDS = 60;

/**
 * Reads which consumers delivered most, failed most, and lag most, and which targets answered slowest, from a
 * full hour on, up to now: counted hours, and the attempts themselves of the minutes that are not counted yet.
 */
export async function readTop(sql: Sql, seconds: number): Promise<Top> {
  const hours = seconds / 3_600;
  const { live, now } = await readEdges(sql, STEP_SECONDS);
  const { rows: spans } = await sql.query<Span>({ text: SPAN, values: [hours] });
  const { since, summed, until } = spans[0]!;
  const [sent, lagging] = await Promise.all([
    sql.query<Pick<Top, 'busiest' | 'failing' | 'slowest'>>({
      text: SENT,
      values: [hours, since, summed, new Date(live).toISOString(), new Date(now).toISOString()],
    }),
    sql.query<Top['laggiest'][number]>({ text: LAGGING }),
  ]);
  return { since, until, ...sent.rows[0]!, laggiest: lagging.rows };
}

/** A range that was summed up begins an hour early until the last full hour is counted, but no earlier. */
const SPAN = `
  select case when s.is_new then s.summed else h.at end - make_interval(hours => $1::int) as since,
         case when s.is_new then s.summed end as summed,
         clock_timestamp() as until
    from (select date_bin('1 hour', now(), timestamptz 'epoch') as at) h
   cross join lateral (
     select max(until) as summed, max(until) >= h.at - interval '1 hour' as is_new
       from attempt_ranges where hours = $1::int) s`;

/**
 * Consumers are looked up one by one in the order of the list; for targets the whole table is read once. A minute
 * that was counted since the edges were read is among the hours.
 */
const SENT = `
  with ${countMinutes('$4::timestamptz', '$5::timestamptz')}, parts as materialized (
    select consumer_id, delivered, failed, answers, answer_ms
      from attempt_ranges where hours = $1::int and until = $3::timestamptz
    union all
    select consumer_id, delivered, failed, answers, answer_ms
      from attempt_hours where at >= coalesce($3::timestamptz, $2::timestamptz)
    union all
    select consumer_id, delivered, failed, coalesce(answers, 0), coalesce(answer_ms, 0)
      from by_consumer left join answers using (at, consumer_id)
     where at >= $2::timestamptz
       and at >= coalesce((select max(at) + interval '1 min' from attempt_minutes), timestamptz 'epoch')
  ), made as materialized (
    select consumer_id, sum(delivered)::bigint as delivered, sum(failed)::bigint as failed
      from parts group by consumer_id
  ), busiest as (
    select consumer_id, name, delivered, failed
      from ${inOrder('made', 'delivered')}
     order by delivered desc, consumer_id limit ${SHOWN}
  ), failing as (
    select consumer_id, name, delivered, failed
      from ${inOrder('made', 'failed')}
     order by failed desc, consumer_id limit ${SHOWN}
  ), slowest as (
    select s.target_id, t.name, round(s.mean_ms)::int as mean_ms, s.attempts
      from (
        select target_id, sum(answer_ms) / sum(answers) as mean_ms, sum(delivered + failed)::bigint as attempts
          from parts join consumers k on k.id = consumer_id and k.deleted_at is null
         group by target_id having sum(answers) > 0
         order by mean_ms desc, target_id limit ${SHOWN}
      ) s
      join targets t on t.id = s.target_id
     order by s.mean_ms desc, s.target_id
  )
  select ${list('busiest')}, ${list('failing')}, ${list('slowest')}`;

/** The rows of a CTE that have more than 0 of a figure, the highest first, with the names of consumers that exist. */
function inOrder(cte: string, most: string): string {
  return `(select * from ${cte} where ${most} > 0 order by ${most} desc, consumer_id) ranked
     cross join lateral (
       select name from consumers k where k.id = ranked.consumer_id and k.deleted_at is null offset 0) named`;
}

/** The rows of a CTE as a list, in their order. */
function list(cte: string): string {
  return `coalesce((select jsonb_agg(one) from ${cte} one), '[]') as ${cte}`;
}

/** Uses the samples of the newest minute that has any, unless it ended more than a minute ago. */
const LAGGING = `
  with sampled as (
    select consumer_id, at, entries, exact, max(at) over () as last from lag_samples
     where at >= date_bin('1 min', now(), timestamptz 'epoch') - interval '1 min'
  ), newest as (
    select consumer_id, entries, exact from sampled where at = last
  )
  select consumer_id, name, entries, exact
    from ${inOrder('newest', 'entries')}
   order by entries desc, consumer_id
   limit ${SHOWN}`;

import type { Sql } from '../db/db.ts';
import { SUM_MINUTES } from './minutesSql.ts';

/** The steps of charts that are summed up in advance, in seconds: those that span several minutes. */
const POINT_SECONDS = [300, 1_800];

/** The ranges over which each consumer is summed up in advance, in hours. */
const RANGE_HOURS = [6, 24, 168];

/** No range is longer, so nothing older is summed up. */
const OLDEST = `interval '8 days'`;

/**
 * Sums up the steps and the ranges that ended with the counted minutes, each once, because their contents do
 * not change any more. Runs in the transaction that counts, which one process does at a time.
 */
export async function rollUp(tx: Sql): Promise<void> {
  await tx.query({ text: POINTS, values: [POINT_SECONDS] });
  await tx.query({ text: RANGES, values: [RANGE_HOURS] });
}

const POINTS = `
  with spans as materialized (
    select p.seconds, w.width, date_bin(w.width, e.to, timestamptz 'epoch') as to,
           coalesce(
             (select max(at) from attempt_points a where a.seconds = p.seconds) + w.width,
             date_bin(w.width, greatest(e.from, e.to - ${OLDEST}), timestamptz 'epoch')) as from
      from unnest($1::integer[]) p(seconds)
     cross join lateral (select make_interval(secs => p.seconds) as width) w
     cross join (select min(at) as from, max(at) + interval '1 min' as to from attempt_minutes) e
  ), minutes as materialized (
    select s.seconds, date_bin(s.width, m.at, timestamptz 'epoch') as bin, m.*
      from spans s
      join attempt_minutes m on m.at >= s.from and m.at < s.to
  ), ${SUM_MINUTES}
  insert into attempt_points (seconds, at, delivered, failed, p50, p95, events_to, lag)
  select seconds, bin, delivered, failed, p50, p95, events_to, lag from summed_up`;

/** The ranges before the last ones are kept for readers that have begun. */
const RANGES = `
  with due as materialized (
    select r.hours, e.until
      from unnest($1::integer[]) r(hours)
     cross join (
       select date_bin('1 hour', max(at) + interval '1 min', timestamptz 'epoch') as until
         from attempt_minutes) e
     where not exists (
       select from attempt_ranges a where a.hours = r.hours and a.until = e.until)
  ), past as (
    delete from attempt_ranges a using due d
     where a.hours = d.hours and a.until < d.until - interval '1 hour'
  )
  insert into attempt_ranges (hours, until, consumer_id, delivered, failed, answers, answer_ms)
  select d.hours, d.until, s.*
    from due d
   cross join lateral (
     select consumer_id, sum(delivered), sum(failed), sum(answers), sum(answer_ms)
       from attempt_hours h
      where h.at >= d.until - make_interval(hours => d.hours) and h.at < d.until
      group by consumer_id) s`;

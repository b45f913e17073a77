import type { Sql } from '../db/db.ts';
import type { ConsumerMetrics } from '../schema/series.ts';

/** Which part of a consumer's history to read, and in which steps. */
export interface MetricsQuery {
  consumerId: string;
  /** Unix ms. */
  since: number;
  stepSeconds: number;
  /** Entries that wait now, for the newest point. */
  lagNow: number;
}

/** The most points that a series may have. */
export const MOST_POINTS = 500;

/**
 * Percentiles are computed from about this many durations. Of more, each step gets an equal share: its first batch
 * and one in n of the others, and one in n of the attempts that are stored one by one.
 */
const SAMPLED = 30_000;

/** A point, with the percentiles of all points together. */
type Row = ConsumerMetrics['data'][number] & { whole_p50: number | null; whole_p95: number | null };

/** The number of points in a series from `since` to `now` (unix ms). */
export function pointsOf(since: number, stepSeconds: number, now: number): number {
  const step = stepSeconds * 1_000;
  return Math.floor(now / step) - Math.floor(since / step) + 1;
}

/**
 * Reads a consumer's attempts over time, by when they ended, in steps aligned to 1970. Counts are
 * exact. With more than 30,000 attempts the percentiles are computed from a sample of about that many.
 */
export async function readMetrics(sql: Sql, query: MetricsQuery): Promise<ConsumerMetrics> {
  const { consumerId, since, stepSeconds, lagNow } = query;
  const from = new Date(Math.floor(since / (stepSeconds * 1_000)) * stepSeconds * 1_000);
  const { rows } = await sql.query<Row>({
    text: SERIES,
    values: [consumerId, from, stepSeconds],
  });
  const newest = rows.at(-1);
  if (newest !== undefined) newest.lag = lagNow;
  const { whole_p50 = null, whole_p95 = null } = newest ?? {};
  const data = rows.map(({ whole_p50: _p50, whole_p95: _p95, ...point }) => point);
  return { step: stepSeconds, p50_ms: whole_p50, p95_ms: whole_p95, data };
}

const STEP = `make_interval(secs => $3)`;
const bin = (time: string): string => `date_bin(${STEP}, ${time}, timestamptz 'epoch')`;

const SERIES = `
  with steps as (
    select at from generate_series($2::timestamptz, clock_timestamp(), ${STEP}) at
  ), singles as materialized ( -- those of the minute before the first step are in no step
    select ${bin(`started_at + duration_ms * interval '1 ms'`)} as at, outcome = 'delivered' as is_delivered,
           duration_ms, hashint8(position + attempt) & 65535 as lot
      from attempts
     where consumer_id = $1 and started_at >= $2::timestamptz - interval '1 min'
  ), sums as (
    select at, sum(delivered) as delivered, sum(failed) as failed, min(committed_at) as first
      from (
        select ${bin('committed_at')} as at, coalesce(entries, cardinality(positions)) as delivered,
               0 as failed, committed_at
          from attempt_batches where consumer_id = $1 and committed_at >= $2::timestamptz
        union all
        select at, is_delivered::int, (not is_delivered)::int, null from singles
      ) made
     group by at
  ), counted as materialized (
    select at, delivered, failed, first,
           case when sum(delivered + failed) over () <= ${SAMPLED} then 1
                else greatest(1, ceil((delivered + failed) * count(*) over () / ${SAMPLED}.0))
            end::bigint as every
      from sums
  ), made as materialized (
    select c.at, unnest(b.duration_ms) as duration_ms, c.every
      from attempt_batches b join counted c on c.at = ${bin('b.committed_at')}
     where b.consumer_id = $1 and b.committed_at >= $2::timestamptz
       and (b.committed_at = c.first or extract(microseconds from b.committed_at)::bigint % c.every = 0)
    union all
    select s.at, s.duration_ms, c.every
      from singles s join counted c on c.at = s.at where s.lot % c.every = 0
  ), timed as (
    select at, percentile_cont(array[0.5, 0.95, 0.99]) within group (order by duration_ms) as p
      from made group by at
  ), whole as ( -- one that was chosen stands for as many as there are of it
    select min(duration_ms) filter (where upto >= 0.5 * total) as p50,
           min(duration_ms) filter (where upto >= 0.95 * total) as p95
      from (
        select duration_ms, sum(sum(every)) over (order by duration_ms) as upto,
               sum(sum(every)) over () as total
          from made group by duration_ms
      ) spread
  )
  select steps.at, coalesce(delivered, 0)::bigint as delivered, coalesce(failed, 0)::bigint as failed,
         p[1] as p50_ms, p[2] as p95_ms, p[3] as p99_ms, coalesce(l.entries, 0) as lag,
         whole.p50 as whole_p50, whole.p95 as whole_p95
    from steps
    left join counted on counted.at = steps.at
    left join timed on timed.at = steps.at
    left join lateral (
      select at from lag_minutes where lag_minutes.at < steps.at + ${STEP} order by at desc limit 1
    ) m on true
    left join lateral ( -- steps without a sample of their own show the last one before their end
      select entries from lag_samples
       where consumer_id = $1 and lag_samples.at < steps.at + ${STEP}
         and lag_samples.at >= least(m.at, steps.at + ${STEP} - greatest(${STEP}, interval '90 s'))
       order by lag_samples.at desc limit 1
    ) l on true
   cross join whole
   order by steps.at`;

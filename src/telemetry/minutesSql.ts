/** The percentiles of a minute are computed from about this many attempts at most. */
const SAMPLED = 30_000;

/** Steps on the logarithmic scale of response times, for each doubling: a value is known to within 5 %. */
const PER_DOUBLING = 8;

/** A minute, ms. */
export const MINUTE_MS = 60_000;

/** The middle of a step, ms; null for none. */
export function msOfStep(step: number | null): number | null {
  if (step === null) return null;
  return Math.round(2 ** ((step + 0.5) / PER_DOUBLING) - 1);
}

const minuteOf = (time: string): string => `date_bin('1 min', ${time}, timestamptz 'epoch')`;

/**
 * CTEs that count what was stored from `from` to before `to`: `by_consumer` (at, consumer_id, delivered,
 * failed), `answers` (at, consumer_id, answers, answer_ms), `binned` (at, consumer_id, step, many) and `counted`, a
 * row for each of its minutes without their `events_to`. Counts are exact; response times are those of a sample in
 * full minutes. `of`: a condition on `consumer_id`, to count only what some consumers did; the lag is that of all, and null in a minute
 * that was not sampled.
 */
export function countMinutes(from: string, to: string, of = 'true'): string {
  return `
  batches as (
    select ${minuteOf('committed_at')} as at, consumer_id,
           coalesce(entries, cardinality(positions)) as entries
      from attempt_batches where committed_at >= ${from} and committed_at < ${to} and ${of}
  ), singles as materialized (
    select ${minuteOf('stored_at')} as at, consumer_id, outcome, duration_ms
      from attempts where stored_at >= ${from} and stored_at < ${to} and ${of}
  ), by_consumer as materialized (
    select at, consumer_id, sum(delivered) as delivered, sum(failed) as failed
      from (
        select at, consumer_id, entries as delivered, 0 as failed from batches
        union all
        select at, consumer_id, (outcome = 'delivered')::int, (outcome = 'failed')::int from singles
      ) made
     group by at, consumer_id
  ), sums as materialized (
    select at, sum(delivered) as delivered, sum(failed) as failed,
           greatest(1, ceil(sum(delivered + failed) / ${SAMPLED}))::bigint as every
      from by_consumer group by at
  ), timed as (
    select s.at, b.consumer_id, greatest(d.ms, 0) as ms, s.every as weight
      from attempt_batches b
      join sums s on s.at = ${minuteOf('b.committed_at')}
     cross join unnest(b.duration_ms) as d(ms)
     where b.committed_at >= ${from} and b.committed_at < ${to} and ${of}
       and extract(microseconds from b.committed_at)::bigint % s.every = 0
    union all
    select at, consumer_id, greatest(duration_ms, 0), 1 from singles
  ), answers as (
    select at, consumer_id, sum(weight)::bigint as answers, sum(ms * weight)::bigint as answer_ms
      from timed group by at, consumer_id
  ), binned as (
    select at, consumer_id,
           floor(${PER_DOUBLING} * ln(ms + 1.0::float8) / ln(2::float8) + 1e-9)::smallint as step,
           sum(weight)::float8 as many
      from timed group by 1, 2, 3
  ), answered as (
    select at, array_agg(step order by step) as steps, array_agg(many order by step) as counts
      from (select at, step, sum(many) as many from binned group by at, step) steps
     group by at
  ), waited as (
    select at, sum(entries) as lag from lag_samples where at >= ${from} and at < ${to} group by at
  ), counted as (
    select m.at, coalesce(s.delivered, 0)::bigint as delivered, coalesce(s.failed, 0)::bigint as failed,
           coalesce(a.steps, '{}') as steps, coalesce(a.counts, '{}') as counts,
           case when w.lag is not null or n.at is not null then coalesce(w.lag, 0)::bigint end as lag
      from generate_series(${from}, ${to} - interval '1 min', interval '1 min') m(at)
      left join sums s on s.at = m.at
      left join answered a on a.at = m.at
      left join waited w on w.at = m.at
      left join lag_minutes n on n.at = m.at
  )`;
}

/**
 * CTEs that read the percentiles of each step: `percentiles` (seconds, bin, p50, p95), as steps of the scale of
 * response times. They read the CTE `minutes`, of which `seconds`, `bin`, `steps` and `counts`.
 */
export const PERCENTILES = `
  below as (
    select seconds, bin, s.step,
           sum(sum(s.many)) over (partition by seconds, bin order by s.step) as upto,
           sum(sum(s.many)) over (partition by seconds, bin) as total
      from minutes cross join unnest(steps, counts) as s(step, many)
     group by seconds, bin, s.step
  ), percentiles as (
    select seconds, bin, min(step) filter (where upto >= 0.5 * total) as p50,
           min(step) filter (where upto >= 0.95 * total) as p95
      from below group by seconds, bin
  )`;

/**
 * A CTE that reads the percentiles of all rows of the CTE `of` together, of which `steps` and `counts`: `whole` (p50,
 * p95), as steps of the scale of response times, and null without an attempt.
 */
export const wholePercentiles = (of: string): string => `
  whole as (
    select min(step) filter (where upto >= 0.5 * total) as p50,
           min(step) filter (where upto >= 0.95 * total) as p95
      from (
        select s.step, sum(sum(s.many)) over (order by s.step) as upto, sum(sum(s.many)) over () as total
          from ${of} cross join unnest(steps, counts) as s(step, many)
         group by s.step
      ) spread
  )`;

/**
 * CTEs that sum up the CTE `minutes`, whose rows are those of minutes with the step they belong to
 * (`seconds`, `bin`); the last one is `summed_up`, a row for each step. Its percentiles are steps of the
 * scale of response times, and null without an attempt.
 */
export const SUM_MINUTES = `
  totals as (
    select seconds, bin, sum(delivered)::bigint as delivered, sum(failed)::bigint as failed,
           max(events_to) as events_to, (array_agg(lag order by at desc) filter (where lag is not null))[1] as lag
      from minutes group by seconds, bin
  ), ${PERCENTILES}, summed_up as (
    select seconds, bin, delivered, failed, p50, p95, events_to, lag
      from totals left join percentiles using (seconds, bin)
  )`;

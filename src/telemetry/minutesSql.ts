/** The percentiles of a minute are those of about this many attempts at most. */
const SAMPLED = 30_000;

/** Steps on the logarithmic scale of answer times, for each doubling: a value is known to within 5 %. */
const PER_DOUBLING = 8;

/** The middle of a step, ms. */
export function msOfStep(step: number): number {
  return Math.round(2 ** ((step + 0.5) / PER_DOUBLING) - 1);
}

const minuteOf = (time: string): string => `date_bin('1 min', ${time}, timestamptz 'epoch')`;

/**
 * CTEs that count what was stored from `from` to before `to`: `by_consumer` (at, consumer_id, delivered,
 * failed) and `counted`, a row for each of its minutes without their `events_to`. Counts are exact.
 */
export function countMinutes(from: string, to: string): string {
  return `
  batches as (
    select ${minuteOf('committed_at')} as at, consumer_id,
           coalesce(entries, cardinality(positions)) as entries
      from attempt_batches where committed_at >= ${from} and committed_at < ${to}
  ), singles as materialized (
    select ${minuteOf('stored_at')} as at, consumer_id, outcome, duration_ms
      from attempts where stored_at >= ${from} and stored_at < ${to}
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
    select s.at, d.ms, s.every as weight
      from attempt_batches b
      join sums s on s.at = ${minuteOf('b.committed_at')}
     cross join unnest(b.duration_ms) as d(ms)
     where b.committed_at >= ${from} and b.committed_at < ${to}
       and extract(microseconds from b.committed_at)::bigint % s.every = 0
    union all
    select at, duration_ms, 1 from singles
  ), answered as (
    select at, array_agg(step order by step) as steps, array_agg(many order by step) as counts
      from (
        select at, floor(${PER_DOUBLING} * ln(greatest(ms, 0) + 1.0::float8) / ln(2::float8) + 1e-9)::smallint as step,
               sum(weight)::float8 as many
          from timed group by 1, 2
      ) binned
     group by at
  ), waited as (
    select at, sum(entries) as lag from lag_samples where at >= ${from} and at < ${to} group by at
  ), counted as (
    select m.at, coalesce(s.delivered, 0)::bigint as delivered, coalesce(s.failed, 0)::bigint as failed,
           coalesce(a.steps, '{}') as steps, coalesce(a.counts, '{}') as counts,
           coalesce(w.lag, 0)::bigint as lag
      from generate_series(${from}, ${to} - interval '1 min', interval '1 min') m(at)
      left join sums s on s.at = m.at
      left join answered a on a.at = m.at
      left join waited w on w.at = m.at
  )`;
}

import type { Sql } from '../db/db.ts';
import type { TargetMetrics } from '../schema/overview.ts';
import { countMinutes, msOfStep, PERCENTILES, wholePercentiles } from './minutesSql.ts';
import { readEdges } from './totalsSeries.ts';

interface Row {
  at: string;
  delivered: number | null;
  failed: number | null;
  p50: number | null;
  p95: number | null;
  /** Of all steps together. */
  whole_p50: number | null;
  whole_p95: number | null;
}

/**
 * Reads the attempts of a target's consumers over the last `seconds`, in steps that are whole minutes aligned
 * to 1970: counted minutes, and the attempts themselves for those that are not counted yet. An attempt belongs
 * to the target that its consumer had when it was counted.
 */
export async function readTargetSeries(
  sql: Sql,
  query: { targetId: string; seconds: number; stepSeconds: number },
): Promise<Pick<TargetMetrics, 'p50_ms' | 'p95_ms' | 'data'>> {
  const { targetId, seconds, stepSeconds } = query;
  const { live, now } = await readEdges(sql, stepSeconds);
  const stepMs = stepSeconds * 1_000;
  const from = Math.floor((now - seconds * 1_000) / stepMs) * stepMs;
  const { rows } = await sql.query<Row>({
    text: SERIES,
    values: [
      new Date(from).toISOString(),
      stepSeconds,
      new Date(live).toISOString(),
      new Date(now).toISOString(),
      targetId,
    ],
  });
  const { whole_p50 = null, whole_p95 = null } = rows[0] ?? {};
  return {
    p50_ms: msOfStep(whole_p50),
    p95_ms: msOfStep(whole_p95),
    data: rows.map(({ p50, p95, whole_p50: _p50, whole_p95: _p95, ...point }) => ({
      ...point,
      p50_ms: msOfStep(p50),
      p95_ms: msOfStep(p95),
    })),
  };
}

const OF_TARGET =
  'consumer_id in (select id from consumers where target_id = $5::uuid and deleted_at is null)';
/** With more active minutes than these, percentiles are those of some minutes, spread over each step. */
const SAMPLED_MINUTES = 2_500;
const BIN = `date_bin(make_interval(secs => $2::int), at, timestamptz 'epoch')`;

/** Only active minutes have a row for the target; attempt_minutes says which others were counted. */
const SERIES = `
  with ${countMinutes('$3::timestamptz', '$4::timestamptz', OF_TARGET)}, numbered as (
    select ${BIN} as bin, *, row_number() over (partition by ${BIN} order by at) - 1 as nth,
           ceil(count(*) over () / ${SAMPLED_MINUTES}.0)::bigint as every
      from (
        select at, delivered, failed, steps, counts from target_minutes
         where target_id = $5::uuid and at >= $1::timestamptz and at < $3::timestamptz
        union all
        select at, delivered, failed, steps, counts from counted
      ) one
  ), minutes as materialized (
    select $2::int as seconds, bin, delivered, failed,
           case when nth % every = 0 then steps end as steps,
           case when nth % every = 0 then counts end as counts
      from numbered
  ), known as (
    select ${BIN} as bin from attempt_minutes
     where by_target and at >= $1::timestamptz and at < $3::timestamptz
    union
    select bin from minutes
  ), summed as (
    select bin, sum(delivered)::bigint as delivered, sum(failed)::bigint as failed
      from minutes group by bin
  ), ${PERCENTILES}, ${wholePercentiles('minutes')}
  select b.at, percentiles.p50, percentiles.p95, whole.p50 as whole_p50, whole.p95 as whole_p95,
         case when known.bin is not null then coalesce(delivered, 0) end as delivered,
         case when known.bin is not null then coalesce(failed, 0) end as failed
    from generate_series($1::timestamptz, $4::timestamptz - interval '1 s', make_interval(secs => $2::int)) b(at)
    left join known on known.bin = b.at
    left join summed on summed.bin = b.at
    left join percentiles on percentiles.bin = b.at
   cross join whole
   order by b.at`;

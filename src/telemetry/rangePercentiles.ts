import type { Sql } from '../db/db.ts';
import type { Overview } from '../schema/overview.ts';
import { msOfStep, wholePercentiles } from './minutesSql.ts';

/** With more minutes than these, percentiles are those of some of them, spread evenly. */
const SAMPLED_MINUTES = 2_500;

/**
 * Reads the percentiles of the response times of all consumers since then (unix ms), over the minutes that are
 * counted. They can't be had from those of shorter times.
 */
export async function readRangePercentiles(
  sql: Sql,
  since: number,
): Promise<Pick<Overview, 'p50_ms' | 'p95_ms'>> {
  const { rows } = await sql.query<{ p50: number | null; p95: number | null }>({
    text: PERCENTILES,
    values: [new Date(since).toISOString()],
  });
  const { p50 = null, p95 = null } = rows[0] ?? {};
  return { p50_ms: msOfStep(p50), p95_ms: msOfStep(p95) };
}

const PERCENTILES = `
  with numbered as (
    select steps, counts, row_number() over (order by at) - 1 as nth,
           ceil(count(*) over () / ${SAMPLED_MINUTES}.0)::bigint as every
      from attempt_minutes where at >= $1::timestamptz and delivered + failed > 0
  ), chosen as (
    select steps, counts from numbered where nth % every = 0
  ), ${wholePercentiles('chosen')}
  select p50, p95 from whole`;

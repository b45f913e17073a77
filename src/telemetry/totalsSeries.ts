import type { Sql } from '../db/db.ts';
import type { OverviewPoint } from '../schema/overview.ts';
import { eventEnds } from './attemptTotals.ts';
import { countMinutes, MINUTE_MS, msOfStep, SUM_MINUTES } from './minutesSql.ts';

/**
 * Minutes that are not counted yet are counted for the answer; if they are more than this, the others are left
 * out.
 */
const LIVE_MINUTES = 5;

interface Row {
  at: string;
  delivered: number | null;
  failed: number | null;
  p50: number | null;
  p95: number | null;
  events_to: number | null;
  lag: number | null;
}

interface EdgesRow {
  now: string;
  /** Up to when minutes are counted, and steps are summed up; null: none is. */
  counted: string | null;
  summed: string | null;
}

/** The points at which a series changes from stored minutes to those that have to be counted. */
interface Edges {
  /** Unix ms. */
  live: number;
  /** Unix ms. */
  now: number;
  /** Null: nothing is. */
  summed: string | null;
}

/** Reads the series of all consumers since then (unix ms), in steps that are whole minutes aligned to 1970. */
export async function readTotals(
  sql: Sql,
  { since, stepSeconds }: { since: number; stepSeconds: number },
): Promise<OverviewPoint[]> {
  const { live, now, summed } = await readEdges(sql, stepSeconds);
  const stepMs = stepSeconds * 1_000;
  // One step earlier, for the position after which the appends of the first step are counted.
  const from = Math.floor(since / stepMs) * stepMs - stepMs;
  const { rows } = await sql.query<Row>({
    text: SERIES,
    values: [
      new Date(from).toISOString(),
      stepSeconds,
      new Date(live).toISOString(),
      new Date(now).toISOString(),
      await eventEnds(sql, live, now),
      summed === null ? new Date(from).toISOString() : summed,
    ],
  });
  return toPoints(rows);
}

/** From when on the minutes are not counted yet, the end of the minute that runs, and up to when steps are summed up. */
export async function readEdges(sql: Sql, stepSeconds: number): Promise<Edges> {
  const { rows } = await sql.query<EdgesRow>({ text: EDGES, values: [stepSeconds] });
  const { counted, summed } = rows[0]!;
  const now = Date.parse(rows[0]!.now);
  const uncounted = counted === null ? now - 2 * MINUTE_MS : Date.parse(counted);
  return { live: Math.max(uncounted, now - LIVE_MINUTES * MINUTE_MS), now, summed };
}

/** The points except the first, which only says which position the stream had. */
function toPoints(rows: Row[]): OverviewPoint[] {
  let before = rows[0]?.events_to ?? null;
  return rows.slice(1).map(({ at, delivered, failed, p50, p95, events_to, lag }) => {
    // A stream that was restored from a backup continues at an earlier position.
    const appended = events_to === null || before === null ? null : Math.max(0, events_to - before);
    before = events_to;
    return {
      at,
      delivered,
      failed,
      p50_ms: msOfStep(p50),
      p95_ms: msOfStep(p95),
      appended,
      lag,
    };
  });
}

const EDGES = `
  select date_bin('1 min', now(), timestamptz 'epoch') + interval '1 min' as now,
         (select max(at) + interval '1 min' from attempt_minutes) as counted,
         (select max(at) + make_interval(secs => $1::int) from attempt_points where seconds = $1::int) as summed`;

const SERIES = `
  with ${countMinutes('$3::timestamptz', '$4::timestamptz')}, minutes as materialized (
    select $2::int as seconds, date_bin(make_interval(secs => $2::int), at, timestamptz 'epoch') as bin, *
      from (
        select at, delivered, failed, steps, counts, events_to, lag from attempt_minutes
         where at >= $1::timestamptz and at >= $6::timestamptz and at < $3::timestamptz
        union all
        select at, delivered, failed, steps, counts,
               ($5::bigint[])[1 + (extract(epoch from at - $3::timestamptz) / 60)::int], lag
          from counted
      ) one
  ), ${SUM_MINUTES}, points as (
    select at, delivered, failed, p50, p95, events_to, lag from attempt_points
     where seconds = $2::int and at >= $1::timestamptz and at < $6::timestamptz
    union all
    select bin, delivered, failed, p50, p95, events_to, lag from summed_up
  )
  select b.at, delivered, failed, p50, p95, events_to, lag
    from generate_series($1::timestamptz, $4::timestamptz - interval '1 s', make_interval(secs => $2::int)) b(at)
    left join points on points.at = b.at
   order by b.at`;

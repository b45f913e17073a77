import type { Sql } from '../db/db.ts';
import type { SourceStatus } from '../schema/source.ts';

/** The figures of one source, for operators. */
export interface SourceFigures {
  id: string;
  status: SourceStatus;
  /** Whether it can't go on at the moment. */
  isInterrupted: boolean;
  /** How much of the log of its database is not stored, as it was measured last; null before that. */
  lagBytes: number | null;
  lagSeconds: number | null;
  /** Since the last change of its tables, s; since it was created when none has come. */
  silentSeconds: number;
  changes: number;
  problems: number;
}

/** The figures of all sources: sums of all, and those in the most trouble one by one. */
export interface AllSourceFigures {
  sources: SourceFigures[];
  all: Record<SourceStatus, number> & {
    interrupted: number;
    /** The largest of them. */
    lagBytes: number;
    lagSeconds: number;
  };
}

type Row = SourceFigures & {
  [Name in keyof AllSourceFigures['all'] as `all_${Name}`]: AllSourceFigures['all'][Name];
};

/** Reads the figures, one by one for the `limit` sources in the most trouble. */
export async function readSourceFigures(sql: Sql, limit: number): Promise<AllSourceFigures> {
  const { rows } = await sql.query<Row>({
    name: 'source figures',
    text: FIGURES,
    values: [Math.max(1, limit)],
  });
  const [first] = rows;
  return {
    sources: rows.slice(0, limit),
    all: {
      active: first?.all_active ?? 0,
      paused: first?.all_paused ?? 0,
      failed: first?.all_failed ?? 0,
      deleting: first?.all_deleting ?? 0,
      interrupted: first?.all_interrupted ?? 0,
      lagBytes: first?.all_lagBytes ?? 0,
      lagSeconds: first?.all_lagSeconds ?? 0,
    },
  };
}

const FIGURES = `
  with one as (
    select s.id, s.status, s.interruption is not null as "isInterrupted",
           s.lag_bytes as "lagBytes", s.lag_ms::float8 / 1000 as "lagSeconds",
           extract(epoch from clock_timestamp() - coalesce(s.last_change_at, s.created_at))::float8 as "silentSeconds",
           coalesce((select sum(changes) from source_tables t where t.source_id = s.id), 0)::float8 as changes,
           coalesce((select sum(count) from source_problems p where p.source_id = s.id), 0)::float8 as problems
      from sources s
  )
  select *, count(*) filter (where status = 'active') over ()   as all_active,
            count(*) filter (where status = 'paused') over ()   as all_paused,
            count(*) filter (where status = 'failed') over ()   as all_failed,
            count(*) filter (where status = 'deleting') over () as all_deleting,
            count(*) filter (where "isInterrupted" and status in ('active', 'deleting')) over () as all_interrupted,
            max("lagBytes") over () as "all_lagBytes", max("lagSeconds") over () as "all_lagSeconds"
    from one
   order by array_position(array['failed', 'active', 'deleting', 'paused'], status), "isInterrupted" desc,
            "lagBytes" desc nulls last, id
   limit $1`;

import type { Sql } from '../db/db.ts';
import type { TableName } from './postgres/databaseFacts.ts';
import { formatLsn, type Lsn } from './postgres/lsn.ts';

/** A row of a table that could not be turned into a record. */
export interface RowProblem extends TableName {
  reason: string;
  /** The record; null when its key is what can't be read. */
  upstreamId: string | null;
  /** Where in the log it is, or what the log was read up to when it was found. */
  lsn: Lsn;
}

/**
 * Notes problems, each reason of a table once, with how often it has come. What is noted again after a crash counts
 * twice.
 */
export async function noteProblems(
  sql: Sql,
  source: string,
  problems: readonly RowProblem[],
): Promise<void> {
  const byReason = Map.groupBy(problems, ({ schema, table, reason }) =>
    JSON.stringify([schema, table, reason]),
  );
  for (const same of byReason.values()) {
    const [first, last] = [same[0]!, same.at(-1)!];
    await sql.query({
      text: `
        insert into source_problems as known (source_id, schema_name, table_name, reason, count, upstream_id,
                                              first_lsn, last_lsn, first_at, last_at)
        select id, $2, $3, $4, $5, $6, $7, $8, now(), now() from sources where id = $1
        on conflict (source_id, schema_name, table_name, reason) do update
           set count       = known.count + excluded.count,
               upstream_id = excluded.upstream_id,
               last_lsn    = excluded.last_lsn,
               last_at     = excluded.last_at`,
      values: [
        source,
        first.schema,
        first.table,
        first.reason,
        same.length,
        last.upstreamId,
        formatLsn(first.lsn),
        formatLsn(last.lsn),
      ],
    });
  }
}

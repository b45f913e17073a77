import type { Sql } from '../db/db.ts';
import { toPage, type ListPage, type ListPlace } from '../db/keyset.ts';
import { contains, isAfter, type Bind } from '../db/listSql.ts';
import type { Source, SourceProblem, SourceStatus, SourceTableState } from '../schema/source.ts';
import { collectionOf } from './postgres/tableShape.ts';
import { nameOfTable } from './tableName.ts';

/** A row of `sources`, with its tables. */
export interface SourceRow {
  id: string;
  name: string;
  kind: 'postgres';
  sync_id: string;
  region: string;
  /** Sealed. */
  url: string;
  url_shown: string;
  ca: string | null;
  expect_within_s: number | null;
  slot: string;
  publication: string;
  status: SourceStatus;
  status_reason: string | null;
  status_since: string;
  version: number;
  interruption: string | null;
  interrupted_since: string | null;
  lag_bytes: number | null;
  lag_ms: number | null;
  slot_limit_bytes: number | null;
  last_lsn: string | null;
  last_change_at: string | null;
  measured_at: string | null;
  created_at: string;
  updated_at: string;
  tables: SourceTableRow[];
  problems: number;
}

export interface SourceTableRow {
  schema: string;
  table: string;
  state: SourceTableState;
  detail: string | null;
  rows: number;
  changes: number;
}

/** Which sources to list. */
export interface SourceQuery {
  /** A part of the name, the URL without its password, or the id, in upper or lower case. */
  q?: string | undefined;
  limit: number;
  after: ListPlace | null;
}

/** Reads one source; null when there is none with this id. */
export async function findSource(sql: Sql, id: string): Promise<SourceRow | null> {
  const { rows } = await sql.query<SourceRow>({
    text: selectSources('select * from sources where id = $1'),
    values: [id],
  });
  return rows[0] ?? null;
}

/** A page of the sources that match, newest first. */
export async function listSources(sql: Sql, query: SourceQuery): Promise<ListPage<Source>> {
  const { rows } = await sql.query<SourceRow>(listSourcesQuery(query));
  const page = toPage(rows, query.limit, (row) => ({ at: row.created_at, id: row.id }));
  return { ...page, data: page.data.map(toSource) };
}

/** The statement of `listSources`, which walks the index `sources_newest`. */
export function listSourcesQuery(query: SourceQuery): { text: string; values: unknown[] } {
  const values: unknown[] = [query.limit + 1];
  const bind: Bind = (value) => `$${values.push(value)}`;
  const conditions: string[] = [];
  if (query.after !== null) conditions.push(isAfter(query.after, bind));
  if (query.q !== undefined) {
    conditions.push(contains(query.q, bind, (like) => [`name ${like}`, `url_shown ${like}`]));
  }
  const text = selectSources(`
    select * from sources
     ${conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`}
     order by created_at desc, id desc
     limit $1`);
  return { text, values };
}

function selectSources(rows: string): string {
  return `
    select s.*, coalesce(t.tables, '[]') as tables, coalesce(p.problems, 0) as problems
      from (${rows}) s
      left join lateral (
        select json_agg(json_build_object('schema', schema_name, 'table', table_name, 'state', state,
                                          'detail', detail, 'rows', rows_read, 'changes', changes)
                        order by schema_name, table_name) as tables
          from source_tables where source_id = s.id
      ) t on true
      left join lateral (
        select sum(count)::bigint as problems from source_problems where source_id = s.id
      ) p on true
     order by s.created_at desc, s.id desc`;
}

/** A source as the API shows it. */
export function toSource(row: SourceRow): Source {
  return {
    id: row.id,
    name: row.name,
    kind: row.kind,
    url: row.url_shown,
    ca: row.ca,
    sync_id: row.sync_id,
    expect_within: row.expect_within_s,
    slot: row.slot,
    publication: row.publication,
    status: row.status,
    status_reason: row.status_reason,
    status_since: row.status_since,
    interruption: interruptionOf(row),
    lag: lagOf(row),
    last_lsn: row.last_lsn,
    last_change_at: row.last_change_at,
    problems: row.problems,
    tables: row.tables.map((one) => ({
      table: nameOfTable(one),
      collection_id: collectionOf(one.schema, one.table),
      state: one.state,
      detail: one.detail,
      rows: one.rows,
      changes: one.changes,
    })),
    created_at: row.created_at,
    updated_at: row.updated_at,
  };
}

/** What held up a follower says nothing once it does not follow any more. */
function interruptionOf(row: SourceRow): Source['interruption'] {
  const { status, interruption: detail, interrupted_since: since } = row;
  if (detail === null || since === null) return null;
  return status === 'active' || status === 'deleting' ? { detail, since } : null;
}

function lagOf(row: SourceRow): Source['lag'] {
  const { lag_bytes: bytes, lag_ms: ms, measured_at, slot_limit_bytes: limit_bytes } = row;
  if (bytes === null || ms === null || measured_at === null) return null;
  return { bytes, seconds: ms / 1_000, limit_bytes, measured_at };
}

/** A page of what could not be turned into records, by when the first row of each table and reason came, newest first. */
export async function listProblems(
  sql: Sql,
  sourceId: string,
  { limit, after }: { limit: number; after: ListPlace | null },
): Promise<ListPage<SourceProblem>> {
  const { rows } = await sql.query<ProblemRow>({
    text: `
      select * from (
        select schema_name as schema, table_name as table, reason, count, upstream_id, first_lsn, last_lsn,
               first_at, last_at, md5(schema_name || '.' || table_name || '.' || reason)::uuid as id
          from source_problems where source_id = $1) p
       where $2::timestamptz is null or (first_at, id) < ($2, $3::uuid)
       order by first_at desc, id desc
       limit $4`,
    values: [sourceId, after?.at ?? null, after?.id ?? null, limit + 1],
  });
  const page = toPage(rows, limit, ({ first_at: at, id }) => ({ at, id }));
  const data = page.data.map(({ id: _id, schema, ...row }) => ({
    ...row,
    table: nameOfTable({ schema, table: row.table }),
  }));
  return { ...page, data };
}

interface ProblemRow extends SourceProblem {
  id: string;
  schema: string;
}

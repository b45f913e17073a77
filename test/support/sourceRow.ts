import type { Sql } from '../../src/db/db.ts';
import { newId } from '../../src/db/ids.ts';

/** Columns of `sources` as SQL, for example `{ status: "'failed'" }`. */
export type SourceColumns = Record<string, string>;

const COLUMNS: SourceColumns = {
  kind: "'postgres'",
  sync_id: "'shop'",
  region: "'local'",
  url: "'sealed'",
  url_shown: "'postgres://millrace:••••@db.example.com:5432/shop'",
  publication: "'millrace'",
  status: "'active'",
  status_since: 'now()',
  version: '1',
  lease_until: "now() + interval '8 s'",
  holder: "'host/1'",
  measured_at: 'now()',
  created_at: 'now()',
  updated_at: 'now()',
};

/** Writes the row of a source that is followed without a lag, except for what `columns` says; returns its id. */
export async function addSource(
  sql: Sql,
  name: string,
  columns: SourceColumns = {},
): Promise<string> {
  const id = newId();
  const all = { ...COLUMNS, ...columns };
  await sql.query({
    text: `insert into sources (id, name, slot, ${Object.keys(all).join(', ')})
           values ($1, $2, $3, ${Object.values(all).join(', ')})`,
    values: [id, name, `millrace_${id.replaceAll('-', '')}`],
  });
  return id;
}

/** What a follower or the API would write. */
export async function setSource(sql: Sql, id: string, columns: SourceColumns): Promise<void> {
  const set = Object.entries(columns).map(([name, value]) => `${name} = ${value}`);
  await sql.query({ text: `update sources set ${set.join(', ')} where id = $1`, values: [id] });
}

/** Writes the row of one of its tables. */
export async function addSourceTable(
  sql: Sql,
  id: string,
  [schema, table]: [schema: string, table: string],
  { state = 'following', detail = null as string | null, changes = 0 } = {},
): Promise<void> {
  await sql.query({
    text: `insert into source_tables (source_id, schema_name, table_name, state, detail, changes)
           values ($1, $2, $3, $4, $5, $6)`,
    values: [id, schema, table, state, detail, changes],
  });
}

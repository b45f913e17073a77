import { ADVISORY_LOCKS } from '../db/advisoryLocks.ts';
import { CHANNELS } from '../db/channels.ts';
import type { Sql } from '../db/db.ts';
import type { SourceStatus } from '../schema/source.ts';
import type { TableName } from './postgres/databaseFacts.ts';

// The owner of the tables `sources` and `source_tables`: everything that users change in them. Each function is called
// within the transaction of the change. What a follower writes there is in another file.

/** A source to create. */
export interface NewSource {
  id: string;
  name: string;
  syncId: string;
  region: string;
  slot: string;
  publication: string;
  settings: SourceSettings;
  tables: readonly TableName[];
}

/** How a source is reached, and what is expected of it. */
export interface SourceSettings {
  /** Sealed. */
  url: string;
  urlShown: string;
  ca: string | null;
  expectWithinS: number | null;
}

/** Waits until no other transaction gives a source a name, a sync or tables, which must be its own. */
export async function lockNames(tx: Sql): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(${ADVISORY_LOCKS.nameSources})`);
}

/** Whether another source than `id` has this name. */
export async function isNameTaken(sql: Sql, id: string, name: string): Promise<boolean> {
  const { rowCount } = await sql.query({
    text: 'select from sources where name = $2 and id <> $1',
    values: [id, name],
  });
  return rowCount === 1;
}

/** Another source that appends the records of one of these tables to the same sync; null when there is none. */
export async function findSharer(
  sql: Sql,
  id: string,
  { syncId, tables }: { syncId: string; tables: readonly TableName[] },
): Promise<(TableName & { name: string }) | null> {
  const { rows } = await sql.query<TableName & { name: string }>({
    text: `
      select s.name, t.schema_name as schema, t.table_name as table
        from sources s
        join source_tables t on t.source_id = s.id
        join unnest($3::text[], $4::text[]) as asked (schema_name, table_name)
          on asked.schema_name || '.' || asked.table_name = t.schema_name || '.' || t.table_name
       where s.sync_id = $2 and s.id <> $1
       limit 1`,
    values: [id, syncId, ...columnsOf(tables)],
  });
  return rows[0] ?? null;
}

/** Stores a source, which is followed from then on. */
export async function insertSource(tx: Sql, source: NewSource): Promise<void> {
  const { id, name, syncId, region, slot, publication, settings, tables } = source;
  await tx.query({
    text: `
      insert into sources (id, name, kind, sync_id, region, slot, publication, url, url_shown, ca, expect_within_s,
                           status, status_since, version, created_at, updated_at)
      values ($1, $2, 'postgres', $3, $4, $5, $6, $7, $8, $9, $10, 'active', now(), 1, now(), now())`,
    values: [id, name, syncId, region, slot, publication, ...valuesOf(settings)],
  });
  await insertTables(tx, id, tables);
  await announce(tx, id);
}

/** What an edit changes of a source. */
export interface SourceEdit {
  name: string;
  settings: SourceSettings;
  /** Whether it is what a source that has failed may be waiting for. */
  mends: boolean;
  added: readonly TableName[];
  removed: readonly TableName[];
}

/** Stores an edit. The records of a table that is removed stay as they are. */
export async function updateSource(tx: Sql, id: string, edit: SourceEdit): Promise<void> {
  await tx.query({
    text: `
      update sources
         set name = $2, url = $3, url_shown = $4, ca = $5, expect_within_s = $6,
             version = version + 1, updated_at = now(),
             status = case when $7 and status = 'failed' then 'active' else status end,
             status_reason = case when $7 then null else status_reason end,
             status_since = case when $7 and status = 'failed' then now() else status_since end,
             interruption = case when $7 then null else interruption end,
             interrupted_since = case when $7 then null else interrupted_since end
       where id = $1`,
    values: [id, edit.name, ...valuesOf(edit.settings), edit.mends],
  });
  await tx.query({
    text: `
      delete from source_tables t
       using unnest($2::text[], $3::text[]) as gone (schema_name, table_name)
       where t.source_id = $1 and t.schema_name = gone.schema_name and t.table_name = gone.table_name`,
    values: [id, ...columnsOf(edit.removed)],
  });
  await insertTables(tx, id, edit.added);
  await announce(tx, id);
}

/** Gives a source another status, which says why by itself. */
export async function setStatus(tx: Sql, id: string, status: SourceStatus): Promise<void> {
  await tx.query({
    text: `
      update sources
         set status = $2, status_reason = null, status_since = now(), version = version + 1, updated_at = now(),
             interruption = null, interrupted_since = null
       where id = $1`,
    values: [id, status],
  });
  await announce(tx, id);
}

/** Has the follower look at a source that has not changed. */
export async function announce(tx: Sql, id: string): Promise<void> {
  await tx.query({ text: `select pg_notify('${CHANNELS.sources}', $1)`, values: [id] });
}

/**
 * Has tables read anew; with `confirm`, one that asks is confirmed instead, and others may delete more than a fifth of
 * their records.
 */
export async function readAnew(
  tx: Sql,
  id: string,
  tables: readonly TableName[],
  confirm: boolean,
): Promise<void> {
  await tx.query({
    text: 'update sources set version = version + 1, updated_at = now() where id = $1',
    values: [id],
  });
  await tx.query({
    text: `
      update source_tables t
         set is_confirmed = $4,
             state = case when $4 and state = 'asking' then state else 'waiting' end,
             detail = case when $4 and state = 'asking' then detail end,
             rows_read = case when $4 and state = 'asking' then rows_read else 0 end,
             snapshot = case when $4 and state = 'asking' then snapshot else greatest(snapshot + 1, s.version) end
        from sources s, unnest($2::text[], $3::text[]) as asked (schema_name, table_name)
       where s.id = $1 and t.source_id = s.id
         and t.schema_name = asked.schema_name and t.table_name = asked.table_name`,
    values: [id, ...columnsOf(tables), confirm],
  });
  await announce(tx, id);
}

/** Deletes a source with all that is kept of it, but its records. */
export async function deleteSource(tx: Sql, id: string): Promise<void> {
  await tx.query({ text: 'delete from sources where id = $1', values: [id] });
  await announce(tx, id);
}

/**
 * The snapshot of a table begins with the version of its source, so that one that was removed and is added again is not
 * taken for having been read.
 */
async function insertTables(tx: Sql, id: string, tables: readonly TableName[]): Promise<void> {
  await tx.query({
    text: `
      insert into source_tables (source_id, schema_name, table_name, state, snapshot)
      select s.id, added.schema_name, added.table_name, 'waiting', s.version
        from sources s, unnest($2::text[], $3::text[]) as added (schema_name, table_name)
       where s.id = $1`,
    values: [id, ...columnsOf(tables)],
  });
}

function valuesOf({ url, urlShown, ca, expectWithinS }: SourceSettings): unknown[] {
  return [url, urlShown, ca, expectWithinS];
}

/** The parameters of `unnest`. */
function columnsOf(tables: readonly TableName[]): [string[], string[]] {
  return [tables.map(({ schema }) => schema), tables.map(({ table }) => table)];
}

import pg from 'pg';

import { chunkMark, type Chunk } from './chunkWindow.ts';
import { createColumnTypes, toTypeRow, TYPES_SQL, type TypesSqlRow } from './columnType.ts';
import type { TableName } from './databaseFacts.ts';
import { SESSION_SQL } from './jsonValue.ts';
import type { RelationColumn } from './pgoutput.ts';
import { rowOf } from './rowChange.ts';
import { parseSnapshot, type Visibility } from './snapshotText.ts';
import type { SourceConfig } from './sourceConfig.ts';
import { tableShape } from './tableShape.ts';

/** Which rows to read. */
export interface ChunkRequest extends TableName {
  /** Not used by any other chunk. */
  id: string;
  /** The columns of the key, in the order of its index. */
  key: readonly string[];
  /** The key's texts in the last row of the chunk before; null for the first one. */
  after: readonly string[] | null;
  /** The most rows of it. */
  limit: number;
}

export interface ReadChunk extends Chunk {
  /** From where the next one goes on; null when this was the last. */
  last: string[] | null;
}

/** Reads tables in chunks, beside whoever follows the log. */
export interface ChunkReader extends AsyncDisposable {
  /** What is under way now. */
  visibility(): Promise<Visibility>;
  /** How large the rows of a table are on average, as far as it has been analyzed; null when that is not known. */
  rowBytes(table: TableName): Promise<number | null>;
  /** Reads the next rows by their key, between two marks in the log. Holds back no writer. */
  read(request: ChunkRequest): Promise<ReadChunk>;
}

interface TableColumns {
  columns: RelationColumn[];
  isPartitioned: boolean;
}

const CONNECT_MS = 10_000;
/** Marks need not be on a standby before the chunk is read. */
const READER_SQL = `${SESSION_SQL};
  set row_security = off;
  set statement_timeout = 0;
  set synchronous_commit = local;
  set default_transaction_read_only = off`;

/** Connects. Marks have the prefix by which whoever follows the log knows them. */
export async function openChunkReader(config: SourceConfig, prefix: string): Promise<ChunkReader> {
  const client = new pg.Client({
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    ...config,
    types: { getTypeParser: () => (text: string) => text },
  });
  client.on('error', () => undefined); // its query fails as well
  await client.connect();
  await client.query(READER_SQL);
  const types = createColumnTypes();

  async function rows(text: string, values: unknown[] = []): Promise<(string | null)[][]> {
    const query = { text, values, rowMode: 'array' as const };
    return (await client.query<(string | null)[]>(query)).rows;
  }

  async function visibility(): Promise<Visibility> {
    const [[snapshot] = []] = await rows('select pg_current_snapshot()');
    return parseSnapshot(snapshot ?? '');
  }

  async function rowBytes({ schema, table }: TableName): Promise<number | null> {
    const [[bytes] = []] = await rows(ROW_BYTES_SQL, [schema, table]);
    return bytes == null ? null : Number(bytes);
  }

  /** In a transaction of its own, so that it is on the disk at once. */
  async function mark(content: string): Promise<void> {
    await rows('select pg_logical_emit_message(true, $1, $2)', [prefix, content]);
  }

  async function read(request: ChunkRequest): Promise<ReadChunk> {
    await mark(chunkMark(request.id, 'begin'));
    const chunk = await between(request);
    await mark(chunkMark(request.id, 'end'));
    return chunk;
  }

  async function between(request: ChunkRequest): Promise<ReadChunk> {
    const { id, schema, table, key, limit } = request;
    await client.query('begin isolation level repeatable read, read only');
    try {
      await client.query(`lock table only ${sqlOf(request)} in access share mode`); // its columns stay
      const seen = await visibility();
      const { columns, isPartitioned } = await columnsOf(request);
      const select = selectSql(request, columns, isPartitioned);
      const cells = await rows(select, [limit, ...(request.after ?? [])]);
      await client.query('commit');
      const shape = tableShape({ id: 0, schema, table, identity: 'full', columns }, types, key);
      const last = cells.at(-1);
      const places = key.map((name) => columns.findIndex((column) => column.name === name));
      return {
        id,
        rows: cells.map((row) => rowOf(shape, row)),
        visibility: seen,
        last: cells.length < limit || !last ? null : places.map((place) => last[place] ?? ''),
      };
    } catch (error) {
      await client.query('rollback').catch(() => undefined); // the connection is lost, and the transaction with it
      throw error;
    }
  }

  /** The columns that the log has as well. */
  async function columnsOf({ schema, table, key }: ChunkRequest): Promise<TableColumns> {
    const found = await rows(COLUMNS_SQL, [schema, table]);
    const isPartitioned = found[0]?.[2] === 'p';
    const columns = found.map(([name, typeId]) => ({
      name: name ?? '',
      typeId: Number(typeId),
      isKey: key.includes(name ?? ''),
    }));
    const missing = types.missing(columns.map(({ typeId }) => typeId));
    if (missing.length > 0) {
      const { rows: known } = await client.query<TypesSqlRow>(TYPES_SQL, [missing]);
      types.add(missing, known.map(toTypeRow));
    }
    return { columns, isPartitioned };
  }

  return { visibility, rowBytes, read, [Symbol.asyncDispose]: () => client.end() };
}

/** What is in its partitions is theirs. */
const ROW_BYTES_SQL = `
  with of_table as (
    select format('%I.%I', $1::text, $2::text)::regclass as id
  ), parts as (
    select id from of_table
    union
    select relid from of_table, pg_catalog.pg_partition_tree(id)
  )
  select (sum(pg_catalog.pg_table_size(c.oid)) / nullif(sum(greatest(c.reltuples, 0)), 0))::float8
  from parts
  join pg_catalog.pg_class c on c.oid = parts.id
  where c.relkind = 'r'`;

const COLUMNS_SQL = `
  select a.attname, a.atttypid, c.relkind
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_class c on c.oid = a.attrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1 and c.relname = $2 and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
  order by a.attnum`;

/** Rows in the order of the key. A partitioned table has its rows in its partitions; an ordinary one not in its heirs. */
function selectSql(
  request: ChunkRequest,
  columns: readonly RelationColumn[],
  isPartitioned: boolean,
): string {
  const key = request.key.map((name) => pg.escapeIdentifier(name));
  const values = key.map((_, nth) => `$${nth + 2}`);
  const beyond = request.after === null ? '' : `where (${key.join(', ')}) > (${values.join(', ')})`;
  return `select ${columns.map(({ name }) => pg.escapeIdentifier(name)).join(', ')}
    from ${isPartitioned ? '' : 'only '}${sqlOf(request)} ${beyond} order by ${key.join(', ')} limit $1`;
}

function sqlOf({ schema, table }: TableName): string {
  return `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}`;
}

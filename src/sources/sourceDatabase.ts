import pg from 'pg';

import { ofDatabase } from './ofDatabase.ts';
import { readFacts, type DatabaseFacts, type TableName } from './postgres/databaseFacts.ts';
import { SLOT_STATE_SQL, toSlotState, type SlotState } from './postgres/logEnding.ts';
import type { Lsn } from './postgres/lsn.ts';
import { drop, prepare, publish } from './postgres/preparation.ts';
import { SLOT_PLACE_SQL, toSlotPlace, type SlotPlaceRow } from './postgres/slotPlace.ts';
import type { SourceConfig } from './postgres/sourceConfig.ts';
import { nameOfTable } from './tableName.ts';

/**
 * The database of a source, beside its log: what is in it, and what the source has there. Everything rejects with an
 * `OfDatabase`.
 */
export interface SourceDatabase extends AsyncDisposable {
  facts(tables: readonly TableName[]): Promise<DatabaseFacts>;
  /** The tables of the publication, by their names in the API; null: there is no publication. */
  published(): Promise<Set<string> | null>;
  slotState(): Promise<SlotState>;
  /** Where the slot's log begins: what was before has been forgotten. Null: there is no such slot. */
  slotPlace(): Promise<Lsn | null>;
  /** Makes the publication one of exactly these tables. */
  publish(tables: readonly TableName[]): Promise<void>;
  /** Creates the publication and the slot, and returns the place where its log begins. */
  prepare(tables: readonly TableName[]): Promise<Lsn>;
  /** Drops both, as far as they are there. Rejects with 55006 while the slot is read. */
  drop(): Promise<void>;
  /** How far its log is stored. */
  measure(): Promise<Measurement>;
}

/** How far the log of a source is stored, as its database sees it. */
export interface Measurement {
  /** Whether the slot is read. */
  isRead: boolean;
  lagBytes: number;
  /** Its `max_slot_wal_keep_size`; null: none. */
  limitBytes: number | null;
  /** Unix ms by its clock. */
  nowMs: number;
  /** The tables that are published, by their names in the API. */
  published: Set<string>;
}

const CONNECT_MS = 10_000;

/** Connects. What is asked may take as long as it takes: aborting `signal` ends it, and the connection. */
export async function openSourceDatabase(
  config: SourceConfig,
  names: { slot: string; publication: string },
  signal: AbortSignal,
): Promise<SourceDatabase> {
  const client = new pg.Client({ connectionTimeoutMillis: CONNECT_MS, keepAlive: true, ...config });
  client.on('error', () => undefined); // its query fails as well
  const cut = (): void => void client.connection.stream.destroy();
  signal.addEventListener('abort', cut);
  try {
    await ofDatabase(async () => {
      await client.connect();
      await client.query('set statement_timeout = 0; set default_transaction_read_only = off');
    });
  } catch (error) {
    signal.removeEventListener('abort', cut);
    cut();
    throw error;
  }

  async function published(): Promise<Set<string> | null> {
    const { rows } = await client.query<{ schema: string | null; table: string | null }>(
      PUBLISHED_SQL,
      [names.publication],
    );
    if (rows.length === 0) return null;
    const tables = rows.flatMap(({ schema, table }) =>
      schema === null || table === null ? [] : [nameOfTable({ schema, table })],
    );
    return new Set(tables);
  }

  async function slotState(): Promise<SlotState> {
    const { rows } = await client.query<{ is_lost: boolean }>(SLOT_STATE_SQL, [names.slot]);
    return toSlotState(rows);
  }

  async function slotPlace(): Promise<Lsn | null> {
    return toSlotPlace((await client.query<SlotPlaceRow>(SLOT_PLACE_SQL, [names.slot])).rows);
  }

  async function measure(): Promise<Measurement> {
    const { rows } = await client.query<MeasuredRow>(MEASURE_SQL, [names.slot]);
    const [row] = rows;
    return {
      isRead: row?.is_read ?? false,
      lagBytes: Number(row?.lag_bytes ?? 0),
      limitBytes: row?.limit_bytes == null ? null : Number(row.limit_bytes),
      nowMs: row?.now_ms ?? 0,
      published: (await published()) ?? new Set(),
    };
  }

  return {
    facts: (tables) => ofDatabase(() => readFacts(client, { tables, ...names })),
    published: () => ofDatabase(published),
    slotState: () => ofDatabase(slotState),
    slotPlace: () => ofDatabase(slotPlace),
    publish: (tables) => ofDatabase(() => publish(client, names.publication, tables)),
    prepare: (tables) => ofDatabase(() => prepare(client, { tables, ...names })),
    drop: () => ofDatabase(() => drop(client, names)),
    measure: () => ofDatabase(measure),
    [Symbol.asyncDispose]: async () => {
      signal.removeEventListener('abort', cut);
      if (signal.aborted) return;
      await client.end();
    },
  };
}

interface MeasuredRow {
  is_read: boolean;
  lag_bytes: string;
  limit_bytes: string | null;
  now_ms: number;
}

const MEASURE_SQL = `
  select active as is_read,
         coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0)::text as lag_bytes,
         (select (nullif(setting::int8, -1) * 1048576)::text from pg_catalog.pg_settings
           where name = 'max_slot_wal_keep_size') as limit_bytes,
         (extract(epoch from clock_timestamp()) * 1000)::float8 as now_ms
    from pg_catalog.pg_replication_slots
   where slot_name = $1`;

/** A row without a table for a publication that has none. */
const PUBLISHED_SQL = `
  select n.nspname::text as schema, c.relname::text as table
    from pg_catalog.pg_publication p
    left join pg_catalog.pg_publication_rel r on r.prpubid = p.oid
    left join pg_catalog.pg_class c on c.oid = r.prrelid
    left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where p.pubname = $1`;

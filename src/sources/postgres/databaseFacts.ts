import type pg from 'pg';

import { OWN_TABLES, TELLING_TABLES } from './ownTables.ts';

/** A table by its two names, as they are stored. */
export interface TableName {
  schema: string;
  table: string;
}

/** What is asked about: the tables that are to become a source, and the names that it would take. */
export interface Inspected {
  tables: readonly TableName[];
  slot: string;
  publication: string;
}

/** What a database says of itself before anything in it is changed. */
export interface DatabaseFacts {
  server: ServerFacts;
  /** In the order asked for; null for a table that is not there. */
  tables: (TableFacts | null)[];
}

export interface ServerFacts {
  /** As `server_version_num`: 180001. */
  version: number;
  versionText: string;
  isStandby: boolean;
  walLevel: string;
  slots: { used: number; most: number };
  senders: { used: number; most: number };
  role: string;
  canReplicate: boolean;
  /** Whether the role may create a publication in the database. */
  canCreate: boolean;
  database: string;
  isSlotTaken: boolean;
  /** Whether the slot of that name is one of this database, not of another one of its server. */
  isSlotHere: boolean;
  /** Whether somebody reads it now. */
  isSlotRead: boolean;
  isPublicationTaken: boolean;
}

/** A table, or a partition of one. */
export interface TableFacts extends TableName {
  /** `relkind`: r is a table, p a partitioned one. */
  kind: string;
  /** `relpersistence`: p is permanent. */
  persistence: string;
  /** `relreplident`: d, n, f or i. */
  identity: string;
  isSystem: boolean;
  /** Whether it is a table of a Millrace, or a partition of one. */
  isOfMillrace: boolean;
  isOwned: boolean;
  canSelect: boolean;
  hasRowSecurity: boolean;
  /** Columns of the primary key, in its order; none without one. */
  primaryKey: string[];
  /** Columns of the index that is the replica identity, in its order. */
  identityIndex: string[];
  /** Those that hold rows; none unless it is partitioned. */
  partitions: TableFacts[];
}

/** Asks a database for what `findProblems` judges. Changes nothing, and needs no right but to connect. */
export async function readFacts(client: pg.ClientBase, asked: Inspected): Promise<DatabaseFacts> {
  const server = await client.query<ServerFacts>(SERVER_SQL, [asked.slot, asked.publication]);
  const names = asked.tables.map(({ schema, table }) => JSON.stringify([schema, table]));
  const { rows } = await client.query<TableRow>(TABLES_SQL, [
    asked.tables.map(({ schema }) => schema),
    asked.tables.map(({ table }) => table),
    OWN_TABLES,
    TELLING_TABLES,
  ]);
  const roots = rows.filter(({ isRoot }) => isRoot);
  const tables = names.map((name) => {
    const root = roots.find((row) => JSON.stringify([row.schema, row.table]) === name);
    if (root === undefined) return null;
    const partitions = rows.filter((row) => !row.isRoot && row.rootId === root.rootId);
    return { ...root, partitions: partitions.map((row) => ({ ...row, partitions: [] })) };
  });
  return { server: server.rows[0]!, tables };
}

interface TableRow extends Omit<TableFacts, 'partitions'> {
  rootId: string;
  isRoot: boolean;
}

const SERVER_SQL = `
  select current_setting('server_version_num')::int as version,
         current_setting('server_version') as "versionText",
         pg_is_in_recovery() as "isStandby",
         current_setting('wal_level') as "walLevel",
         json_build_object('used', (select count(*) from pg_catalog.pg_replication_slots),
                           'most', current_setting('max_replication_slots')::int) as slots,
         json_build_object('used', (select count(*) from pg_catalog.pg_stat_replication),
                           'most', current_setting('max_wal_senders')::int) as senders,
         current_user::text as role,
         exists (select from pg_catalog.pg_roles r
                  where r.rolname = current_user and (r.rolreplication or r.rolsuper)
                     or r.rolname = 'rds_replication' and pg_has_role(r.oid, 'member')) as "canReplicate",
         has_database_privilege(current_database(), 'create') as "canCreate",
         current_database()::text as database,
         exists (select from pg_catalog.pg_replication_slots where slot_name = $1) as "isSlotTaken",
         exists (select from pg_catalog.pg_replication_slots
                  where slot_name = $1 and database = current_database()) as "isSlotHere",
         exists (select from pg_catalog.pg_replication_slots where slot_name = $1 and active) as "isSlotRead",
         exists (select from pg_catalog.pg_publication where pubname = $2) as "isPublicationTaken"`;

/** The tables that were asked for, and the partitions of those that hold the rows. */
const TABLES_SQL = `
  with asked as (
    select c.oid
    from unnest($1::text[], $2::text[]) as a (schema_name, table_name)
    join pg_catalog.pg_namespace n on n.nspname = a.schema_name
    join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = a.table_name
    where c.relkind not in ('i', 'I', 't', 'c')
  ), wanted as (
    select oid, oid as root from asked
    union
    select t.relid::oid, a.oid from asked a cross join lateral pg_partition_tree(a.oid) t where t.isleaf
  )
  select w.root::text as "rootId", w.oid = w.root as "isRoot",
         n.nspname::text as schema, c.relname::text as table,
         c.relkind::text as kind, c.relpersistence::text as persistence, c.relreplident::text as identity,
         c.oid < 16384 as "isSystem",
         (select root.relname from pg_catalog.pg_class root
           where root.oid = coalesce(pg_partition_root(c.oid), c.oid)) = any ($3::text[])
           and (select count(*) from pg_catalog.pg_class t
                 where t.relnamespace = c.relnamespace and t.relname = any ($4::text[])) = cardinality($4::text[])
           as "isOfMillrace",
         pg_has_role(c.relowner, 'usage') as "isOwned",
         has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') as "canSelect",
         row_security_active(c.oid) as "hasRowSecurity",
         coalesce(primary_key.columns, '{}') as "primaryKey",
         coalesce(identity_index.columns, '{}') as "identityIndex"
  from wanted w
  join pg_catalog.pg_class c on c.oid = w.oid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join lateral (
    select array_agg(a.attname::text order by array_position(i.indkey::int2[], a.attnum)) as columns
    from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey[0:i.indnkeyatts - 1])
    where i.indrelid = c.oid and i.indisprimary and i.indisvalid
  ) primary_key on true
  left join lateral (
    select array_agg(a.attname::text order by array_position(i.indkey::int2[], a.attnum)) as columns
    from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey[0:i.indnkeyatts - 1])
    where i.indrelid = c.oid and i.indisreplident and i.indisvalid
  ) identity_index on true
  order by w.root, w.oid`;

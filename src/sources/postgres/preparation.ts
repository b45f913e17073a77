import pg from 'pg';

import type { Inspected, TableName } from './databaseFacts.ts';
import { parseLsn, type Lsn } from './lsn.ts';

const WITH_FAILOVER = 170_000;

/**
 * Creates the publication of exactly these tables, and then the slot, whose first place is returned. When the slot can't
 * be created, the publication is dropped again. Creating a slot waits until the transactions of that moment have ended.
 */
export async function prepare(client: pg.ClientBase, source: Inspected): Promise<Lsn> {
  const { slot, publication, tables } = source;
  await client.query(
    `create publication ${pg.escapeIdentifier(publication)}
        for table ${listOf(tables)}
       with (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)`,
  );
  try {
    const { rows } = await client.query<{ lsn: string }>(await slotSql(client), [slot]);
    return parseLsn(rows[0]!.lsn);
  } catch (error) {
    await dropPublication(client, publication);
    throw error;
  }
}

/** Makes a publication one of exactly these tables. What was written to others before is not in its log. */
export async function publish(
  client: pg.ClientBase,
  publication: string,
  tables: readonly TableName[],
): Promise<void> {
  await client.query(
    `alter publication ${pg.escapeIdentifier(publication)} set table ${listOf(tables)}`,
  );
}

/** Drops the slot and the publication, as far as they are there. Rejects with 55006 while the slot is read. */
export async function drop(
  client: pg.ClientBase,
  { slot, publication }: Pick<Inspected, 'slot' | 'publication'>,
): Promise<void> {
  await client.query(
    `select pg_drop_replication_slot(slot_name) from pg_catalog.pg_replication_slots
      where slot_name = $1 and database = current_database()`,
    [slot],
  );
  await dropPublication(client, publication);
}

/** From 17 on a slot can live on at a standby that takes over. */
async function slotSql(client: pg.ClientBase): Promise<string> {
  const { rows } = await client.query<{ version: number }>(
    `select current_setting('server_version_num')::int as version`,
  );
  const more = rows[0]!.version >= WITH_FAILOVER ? ', failover => true' : '';
  return `select lsn::text from pg_create_logical_replication_slot($1, 'pgoutput'${more})`;
}

async function dropPublication(client: pg.ClientBase, publication: string): Promise<void> {
  await client.query(`drop publication if exists ${pg.escapeIdentifier(publication)}`);
}

/** Without the tables that inherit from them. */
function listOf(tables: readonly TableName[]): string {
  return tables.map((table) => `only ${sqlOf(table)}`).join(', ');
}

function sqlOf({ schema, table }: TableName): string {
  return `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}`;
}

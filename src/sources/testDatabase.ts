import pg from 'pg';

import type { SourceTest } from '../schema/source.ts';
import { connectionFault } from './postgres/connectionFault.ts';
import {
  readFacts,
  type DatabaseFacts,
  type Inspected,
  type ServerFacts,
  type TableName,
} from './postgres/databaseFacts.ts';
import {
  findOldVersion,
  findProblems,
  keyOfTable,
  withoutOwn,
  type Finding,
} from './postgres/inspection.ts';
import { sourceConfig, type SourceAddress } from './postgres/sourceAddress.ts';
import type { OpenSocket } from './postgres/sourceConfig.ts';
import { nameOfTable } from './tableName.ts';

/** What to look at in a database. */
export interface Asked extends Inspected {
  /** Whether a slot and a publication of these names are the source's own, so that they are no obstacle. */
  isOwn: boolean;
  /** Whether to look at all other tables as well. */
  withOthers: boolean;
}

/** What was found in a database; nothing was changed in it. */
export type Inspection =
  | { kind: 'unreachable'; fault: Finding }
  | {
      kind: 'seen';
      version: string;
      /** Whether its slot is in this database. */
      hasSlot: boolean;
      /** What keeps the database, or the tables that were asked for, from being followed. */
      findings: Finding[];
      /** All tables that the role can see, with `withOthers`. */
      tables: SourceTest['tables'];
    };

/** Looks at a database. Never rejects because of what is there, or is not. */
export type InspectDatabase = (address: SourceAddress, asked: Asked) => Promise<Inspection>;

const CONNECT_MS = 10_000;
const ANSWER_MS = 15_000;
const LEAVE_MS = 1_000;
const MOST_TABLES = 1_000;

/** Inspects databases over sockets of the given kind, each in a transaction that may not write. */
export function createInspectDatabase(
  openSocket: OpenSocket,
  /** How long connecting may take. */
  connectMs = CONNECT_MS,
): InspectDatabase {
  return async (address, asked) => {
    try {
      await using session = await openSession(address, openSocket, connectMs);
      return await inspect(session.client, asked);
    } catch (error) {
      if (error instanceof TypeError || error instanceof ReferenceError) throw error; // a bug of ours
      return { kind: 'unreachable', fault: { table: null, ...connectionFault(error, address) } };
    }
  };
}

/** The form in which the API answers. */
export function toSourceTest(inspection: Inspection): SourceTest {
  if (inspection.kind === 'unreachable') {
    const { problem, advice } = inspection.fault;
    const detail = `${problem} ${advice}`;
    return { outcome: 'unreachable', detail, version: null, findings: [], tables: [] };
  }
  const { version, findings, tables } = inspection;
  const outcome = findings.length === 0 ? 'ok' : 'refused';
  return { outcome, detail: null, version, findings, tables };
}

async function openSession(
  address: SourceAddress,
  openSocket: OpenSocket,
  connectMs: number,
): Promise<AsyncDisposable & { client: pg.Client }> {
  const client = new pg.Client({
    connectionTimeoutMillis: connectMs,
    query_timeout: ANSWER_MS,
    ...(await sourceConfig(address, openSocket, connectMs)),
  });
  client.on('error', () => undefined); // its query fails as well

  /** A server that has refused the login, or does not answer, may leave the connection open. */
  async function leave(): Promise<void> {
    const late = setTimeout(() => client.connection.stream.destroy(), LEAVE_MS);
    await client.end();
    clearTimeout(late);
  }

  try {
    await client.connect();
  } catch (error) {
    client.connection.stream.destroy();
    throw error;
  }
  return { client, [Symbol.asyncDispose]: leave };
}

async function inspect(client: pg.Client, asked: Asked): Promise<Inspection> {
  const { rows } = await client.query<Pick<ServerFacts, 'version' | 'versionText'>>(VERSION_SQL);
  const server = rows[0]!;
  const { versionText: version } = server;
  const old = findOldVersion(server);
  if (old !== null) {
    return { kind: 'seen', version, hasSlot: false, findings: [old], tables: [] };
  }
  await client.query('begin transaction read only');
  const facts = await readFacts(client, asked);
  const others = asked.withOthers ? await readOthers(client, asked) : [];
  await client.query('commit');
  const judged = asked.isOwn ? { ...facts, server: withoutOwn(facts.server) } : facts;
  return {
    kind: 'seen',
    version,
    hasSlot: facts.server.isSlotHere,
    findings: [
      ...findProblems(judged, asked.tables, asked).filter(({ table }) => table === null),
      ...asked.tables.flatMap((name, nth) => findingsOf(name, facts, nth)),
    ],
    tables: others,
  };
}

interface ListedRow extends TableName {
  rows: number;
}

async function readOthers(client: pg.Client, asked: Asked): Promise<SourceTest['tables']> {
  const { rows: listed } = await client.query<ListedRow>(LIST_SQL, [MOST_TABLES]);
  const names = listed.map(({ schema, table }) => ({ schema, table }));
  const facts = await readFacts(client, { ...asked, tables: names });
  return listed.map((row, nth) => {
    const found = facts.tables[nth] ?? null;
    return {
      table: nameOfTable(row),
      estimated_rows: row.rows < 0 ? null : Math.round(row.rows),
      key: found === null ? [] : keyOfTable(found),
      findings: findingsOf(row, facts, nth),
    };
  });
}

/** Those about the nth table of what is known, with its name as the API has it. */
function findingsOf(name: TableName, { server, tables }: DatabaseFacts, nth: number): Finding[] {
  const facts = { server, tables: [tables[nth] ?? null] };
  const found = findProblems(facts, [name], { slot: '', publication: '' });
  return found.flatMap((one) => (one.table === null ? [] : [{ ...one, table: nameOfTable(name) }]));
}

const VERSION_SQL = `
  select current_setting('server_version_num')::int as version,
         current_setting('server_version') as "versionText"`;

/** Tables, but not partitions of others. Rows of a table that was never analyzed are not known. */
const LIST_SQL = `
  select n.nspname::text as schema, c.relname::text as table,
         (case when c.relkind = 'p'
               then (select sum(greatest(p.reltuples, 0))
                       from pg_catalog.pg_partition_tree(c.oid) t
                       join pg_catalog.pg_class p on p.oid = t.relid
                      where t.isleaf)
               else c.reltuples end)::float8 as rows
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and not c.relispartition and c.oid >= 16384
    and c.relpersistence <> 't' and n.nspname not in ('pg_catalog', 'information_schema')
    and has_schema_privilege(n.oid, 'usage')
  order by n.nspname, c.relname
  limit $1`;

import type { DatabaseFacts, ServerFacts, TableFacts, TableName } from './databaseFacts.ts';
import { collectionOf } from './tableShape.ts';

/** Something that keeps a database or a table from being a source. */
export interface Finding {
  /** The table that it is about; null when it is about the whole database. */
  table: string | null;
  problem: string;
  /** What to do about it. */
  advice: string;
}

const OLDEST = 140_000;
const KINDS: Record<string, string> = {
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
  S: 'a sequence',
};

/**
 * Everything that would make reading these tables fail, or make the user's own statements fail once they are published.
 * Nothing may be prepared unless there is nothing to find.
 */
export function findProblems(
  facts: DatabaseFacts,
  asked: readonly TableName[],
  names: { slot: string; publication: string },
): Finding[] {
  const ofTables = asked.flatMap((name, nth) => {
    const found = ofTable(nameOf(name), facts.tables[nth] ?? null, facts.server);
    return found.map((one) => ({ table: nameOf(name), ...one }));
  });
  return [...ofServer(facts.server, names), ...ofCollections(asked), ...ofTables];
}

function ofCollections(asked: readonly TableName[]): Finding[] {
  const collections = asked.map(({ schema, table }) => collectionOf(schema, table));
  const twice = new Set(collections.filter((one, nth) => collections.indexOf(one) < nth));
  return [...twice].map((collection) => ({
    table: null,
    problem: `Two tables would be the collection ${collection}.`,
    advice: 'Leave one of them out, or make it a source of its own.',
  }));
}

/** The columns by which the records of a table are known; none when its rows can't be told apart in the log. */
export function keyOfTable(table: TableFacts): string[] {
  if (table.identity === 'n') return [];
  return table.identity === 'i' ? table.identityIndex : table.primaryKey;
}

/** What is wrong with a version of Postgres, whose catalog may not have what `readFacts` asks for; null: nothing. */
export function findOldVersion(
  server: Pick<ServerFacts, 'version' | 'versionText'>,
): Finding | null {
  if (server.version >= OLDEST) return null;
  return {
    table: null,
    problem: `The database runs Postgres ${server.versionText}.`,
    advice: 'Upgrade it to Postgres 14 or newer.',
  };
}

/** What the database says once its slot and its publication are left out: they are no obstacle to their own source. */
export function withoutOwn(server: ServerFacts): ServerFacts {
  const { slots, senders } = server;
  return {
    ...server,
    slots: { ...slots, used: slots.used - (server.isSlotTaken ? 1 : 0) },
    senders: { ...senders, used: senders.used - (server.isSlotRead ? 1 : 0) },
    isSlotTaken: false,
    isPublicationTaken: false,
  };
}

function ofServer(server: ServerFacts, names: { slot: string; publication: string }): Finding[] {
  const { role } = server;
  const old = findOldVersion(server);
  const checks: [isWrong: boolean, problem: string, advice: string][] = [
    [server.isStandby, 'The database is a standby.', 'Use the address of its primary.'],
    [
      server.walLevel !== 'logical',
      `wal_level is ${server.walLevel}, so the log does not have what rows contain.`,
      "Run: alter system set wal_level = 'logical', and restart Postgres. A provider has a setting for it, such as rds.logical_replication or cloudsql.logical_decoding.",
    ],
    [
      server.slots.used >= server.slots.most,
      `All ${server.slots.most} replication slots are taken.`,
      'Drop one that nobody uses (pg_replication_slots lists them), or raise max_replication_slots and restart Postgres.',
    ],
    [
      server.senders.used >= server.senders.most,
      `All ${server.senders.most} WAL senders are in use.`,
      'Raise max_wal_senders and restart Postgres.',
    ],
    [
      !server.canReplicate,
      `The role ${role} may not replicate.`,
      `Run as an administrator: alter role ${quoted(role)} replication; on Amazon RDS: grant rds_replication to ${quoted(role)}`,
    ],
    [
      !server.canCreate,
      `The role ${role} may not create a publication in the database ${server.database}.`,
      `Run: grant create on database ${quoted(server.database)} to ${quoted(role)}`,
    ],
    [
      server.isSlotTaken,
      `There is a replication slot ${names.slot} already.`,
      `If nobody uses it, run: select pg_drop_replication_slot('${names.slot}')`,
    ],
    [
      server.isPublicationTaken,
      `There is a publication ${names.publication} already.`,
      `If nobody uses it, run: drop publication ${quoted(names.publication)}`,
    ],
  ];
  const found = checks.flatMap(([isWrong, problem, advice]) =>
    isWrong ? [{ table: null, problem, advice }] : [],
  );
  return old === null ? found : [old, ...found];
}

type Words = Omit<Finding, 'table'>;

function ofTable(name: string, table: TableFacts | null, server: ServerFacts): Words[] {
  if (table === null) {
    return [{ problem: `There is no table ${name}.`, advice: 'Check its schema and its name.' }];
  }
  const kind = ofKind(name, table);
  if (kind !== null) return [kind];
  return [...ofRights(name, table, server.role), ...ofKey(name, table)];
}

function ofKind(name: string, table: TableFacts): Words | null {
  const kind = KINDS[table.kind];
  if (kind !== undefined) {
    return { problem: `${name} is ${kind}.`, advice: 'Choose the tables that its rows are in.' };
  }
  if (table.isSystem) {
    return { problem: `${name} is a table of Postgres itself.`, advice: 'Leave it out.' };
  }
  if (table.isOfMillrace) {
    return {
      problem: `${name} is a table of Millrace itself, which every append changes.`,
      advice: 'Leave it out.',
    };
  }
  if (table.persistence === 'p') return null;
  const what = table.persistence === 't' ? 'temporary' : 'unlogged';
  return {
    problem: `${name} is ${what}, so the log does not have its rows.`,
    advice: what === 'unlogged' ? `Run: alter table ${sqlOf(table)} set logged` : 'Leave it out.',
  };
}

function ofRights(name: string, table: TableFacts, role: string): Words[] {
  const found: Words[] = [];
  if (!table.isOwned) {
    found.push({
      problem: `${name} is not owned by the role ${role}, and only its owner may publish it.`,
      advice: `Use the role that owns it, or grant that one to ${role}.`,
    });
  }
  if (!table.canSelect) {
    found.push({
      problem: `The role ${role} may not read ${name}.`,
      advice: `Run: grant usage on schema ${quoted(table.schema)} to ${quoted(role)}; grant select on ${sqlOf(table)} to ${quoted(role)}`,
    });
  }
  if (table.hasRowSecurity) {
    found.push({
      problem: `${name} has row security, which hides rows from the role ${role}.`,
      advice: `Run as an administrator: alter role ${quoted(role)} bypassrls`,
    });
  }
  return found;
}

function ofKey(name: string, table: TableFacts): Words[] {
  const own = identityProblem(name, table);
  if (own !== null) return [own];
  const key = keyOfTable(table);
  return table.partitions.flatMap((partition) => {
    const part = nameOf(partition);
    if (partition.kind !== 'r') {
      const problem = `${part}, a partition of ${name}, is ${KINDS[partition.kind] ?? 'not a table'}, whose rows the log does not have.`;
      return [{ problem, advice: 'Choose the partitions that are tables instead.' }];
    }
    const problem = identityProblem(part, partition);
    if (problem !== null) return [problem];
    if (partition.identity === 'f' || sameNames(keyOfTable(partition), key)) return [];
    return [
      {
        problem: `${part}, a partition of ${name}, is known by ${keyOfTable(partition).join(', ')}, and the table by ${key.join(', ')}.`,
        advice: `Run: alter table ${sqlOf(partition)} replica identity full`,
      },
    ];
  });
}

/** Why rows of a table could not be told apart, or the user's own updates and deletes would fail once it is published. */
function identityProblem(name: string, table: TableFacts): Words | null {
  const fails = 'Once it is published, Postgres would refuse every update and delete in it.';
  if (table.identity === 'n') {
    return {
      problem: `${name} has the replica identity NOTHING. ${fails}`,
      advice: `Run: alter table ${sqlOf(table)} replica identity default`,
    };
  }
  if (table.identity === 'i' && table.identityIndex.length === 0) {
    return {
      problem: `The index that was the replica identity of ${name} is gone. ${fails}`,
      advice: `Run: alter table ${sqlOf(table)} replica identity default`,
    };
  }
  if (table.identity !== 'i' && table.primaryKey.length === 0) {
    const consequence = table.identity === 'f' ? 'Its rows could not be told apart.' : fails;
    return {
      problem: `${name} has no primary key. ${consequence}`,
      advice: `Give it a primary key, or a unique index of columns that are not null: alter table ${sqlOf(table)} replica identity using index …`,
    };
  }
  return null;
}

function nameOf({ schema, table }: TableName): string {
  return `${schema}.${table}`;
}

function sqlOf({ schema, table }: TableName): string {
  return `${quoted(schema)}.${quoted(table)}`;
}

/** As Postgres' `quote_ident`, but quoting every name that is not plain. */
function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/u.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one) => b.includes(one));
}

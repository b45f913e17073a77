import { newId } from '../db/ids.ts';
import type { Fence } from '../streams/fence.ts';
import type { Passes } from '../streams/passes.ts';
import type { FencedAppend } from './fencedAppend.ts';
import type { DatabaseFacts, TableFacts, TableName } from './postgres/databaseFacts.ts';
import { findProblems, keyOfTable, withoutOwn, type Finding } from './postgres/inspection.ts';
import { beginReading, withoutPass, type TableProgress } from './postgres/tableProgress.ts';
import { collectionOf } from './postgres/tableShape.ts';
import type { SourceDatabase } from './sourceDatabase.ts';
import type { ClaimedSource, ClaimedTable } from './sourceLeases.ts';
import {
  logCheckpoint,
  tableCheckpoint,
  type LogProgress,
  type SourceProgress,
} from './sourceProgress.ts';
import { nameOfTable } from './tableName.ts';

/** What is needed to follow a source. */
export interface SetUp {
  log: LogProgress;
  /** The tables that are there, by collection. */
  tables: Map<string, FollowedTable>;
  /** Those that are not. */
  gone: TableName[];
}

/** A table that is followed. */
export interface FollowedTable {
  name: TableName;
  isConfirmed: boolean;
  progress: TableProgress;
}

/** Something in the database keeps it from being followed until somebody changes it. */
export class NotFit extends Error {
  constructor(findings: readonly Finding[]) {
    super(findings.map(({ problem, advice }) => `${problem} ${advice}`).join('\n'));
  }
}

export interface SetUpOptions {
  source: ClaimedSource;
  database: SourceDatabase;
  append: FencedAppend['append'];
  fence: Fence;
  passes: Pick<Passes, 'begin' | 'get'>;
  /** Whether there are records of a collection. */
  hasRecords: (collection: string) => Promise<boolean>;
}

/**
 * Makes the publication one of exactly the source's tables, creates the slot if there is none, and begins to read
 * tables that are new, that are to be read anew, or whose log has a gap. Whatever it does it has noted before, as far as
 * another one that goes on after a crash has to know. Rejects with `NotFit` before anything is changed in the database.
 */
export async function setUp(options: SetUpOptions, stored: SourceProgress): Promise<SetUp> {
  const { source, database } = options;
  const facts = await database.facts(source.tables);
  const published = await database.published();
  const hasLog = stored.log !== null && facts.server.isSlotHere && published !== null;
  const isNew = !hasLog || !(await isLogKept(database, stored));
  const tables = new Map<string, FollowedTable>();
  const gone: TableName[] = [];
  const changed = new Map<string, TableProgress | null>();
  for (const [nth, table] of source.tables.entries()) {
    const found = facts.tables[nth] ?? null;
    if (found === null) {
      gone.push(table);
      continue;
    }
    const name = nameOfTable(table);
    const known = stored.tables.get(name) ?? null;
    const isGap = isNew || !published.has(name);
    const key = keyNow(found, known);
    const progress =
      known === null || isGap
        ? await begun(options, table, key)
        : await kept(options, table, { known, key });
    if (progress !== known) changed.set(name, progress);
    tables.set(collectionOf(table.schema, table.table), {
      name: table,
      isConfirmed: table.isConfirmed,
      progress,
    });
  }
  const wanted = [...tables.values()].map(({ name }) => name);
  const isAltered = !isNew && !isSame(wanted, published ?? new Set());
  refuseUnfit(facts, { ...options, isNew, isAltered, published: published ?? new Set() });

  for (const name of stored.tables.keys())
    if (!source.tables.some((table) => nameOfTable(table) === name)) changed.set(name, null);
  await noteChanges(options, changed, isNew && stored.log !== null);
  await beginPasses(options, tables);
  if (isAltered) await database.publish(wanted);
  const log = isNew || stored.log === null ? await createLog(options, wanted) : stored.log;
  return { log, tables, gone };
}

/**
 * Whether the slot still has everything after what is stored. It never goes ahead of that by itself: if it is ahead,
 * Millrace's database is an older copy, or somebody has moved the slot.
 */
async function isLogKept(database: SourceDatabase, { log }: SourceProgress): Promise<boolean> {
  if (log === null || (await database.slotState()) !== 'kept') return false;
  const slot = await database.slotPlace();
  return slot !== null && slot <= log.place.lsn;
}

/** How far a table is whose log has no gap; from its beginning if it is to be read anew. */
async function kept(
  options: SetUpOptions,
  table: ClaimedTable,
  { known, key }: { known: TableProgress; key: readonly string[] },
): Promise<TableProgress> {
  if (table.snapshot !== known.snapshot) return begun(options, table, key);
  if (known.pass === null) return known;
  const pass = await options.passes.get(known.pass);
  if (pass?.status === 'superseded') return withoutPass(known);
  const isUntouched = known.sweep === 1 && known.after === null && known.phase === 'reading';
  // A pass that is forgotten because it is old has forgotten what it has seen.
  return pass === null && !isUntouched ? begun(options, table, key) : known;
}

/** From its beginning. Once it has records, those that do not come are to be deleted in the end. */
async function begun(
  { hasRecords }: SetUpOptions,
  { schema, table, snapshot }: ClaimedTable,
  key: readonly string[],
): Promise<TableProgress> {
  const pass = (await hasRecords(collectionOf(schema, table))) ? newId() : null;
  return beginReading({ key, snapshot, pass });
}

/** The key that a table has now, by which its records are known once it is read from its beginning. */
function keyNow(found: TableFacts, known: TableProgress | null): readonly string[] {
  const key = keyOfTable(found);
  return key.length === 0 && known !== null ? known.key : key;
}

/** Throws what keeps the tables that are to be published from it; those that are published already are not judged. */
function refuseUnfit(
  facts: DatabaseFacts,
  asked: Pick<SetUpOptions, 'source'> & {
    isNew: boolean;
    isAltered: boolean;
    published: ReadonlySet<string>;
  },
): void {
  const { source, isNew, isAltered, published } = asked;
  const found = facts.tables.filter((table) => table !== null);
  if (found.length === 0) {
    throw new NotFit([
      {
        table: null,
        problem: 'None of its tables is in the database any more.',
        advice: 'Create them again, or choose others.',
      },
    ]);
  }
  if (!isNew && !isAltered) return;
  const added = isNew ? found : found.filter((table) => !published.has(nameOfTable(table)));
  const judged = { server: withoutOwn(facts.server), tables: added };
  const findings = findProblems(judged, added, source);
  const inTheWay = isNew ? findings : findings.filter(({ table }) => table !== null);
  if (inTheWay.length > 0) throw new NotFit(inTheWay);
}

/** Notes where tables begin, and that there is no log to go on with before another slot takes the name of the old one. */
async function noteChanges(
  { source, append }: SetUpOptions,
  changed: ReadonlyMap<string, TableProgress | null>,
  isLogLost: boolean,
): Promise<void> {
  const checkpoints = [...changed].map(([name, progress]) =>
    tableCheckpoint(source.id, name, progress),
  );
  if (isLogLost) checkpoints.push(logCheckpoint(source.id, null));
  if (checkpoints.length > 0) await append([], checkpoints);
}

/** Begins the passes that have been noted; those that have begun stay as they are. */
async function beginPasses(
  { source, fence, passes }: SetUpOptions,
  tables: ReadonlyMap<string, FollowedTable>,
): Promise<void> {
  for (const [collectionId, { progress }] of tables) {
    if (progress.pass === null) continue;
    await passes.begin({ id: progress.pass, syncId: source.syncId, collectionId, fence });
  }
}

/** A slot of which nothing is stored is left by a crash: only what is noted afterwards counts. */
async function createLog(
  { source, database, append }: SetUpOptions,
  tables: readonly TableName[],
): Promise<LogProgress> {
  await database.drop();
  const lsn = await database.prepare(tables);
  const log: LogProgress = { id: newId(), place: { lsn, within: null } };
  await append([], [logCheckpoint(source.id, log)]);
  return log;
}

function isSame(wanted: readonly TableName[], published: ReadonlySet<string>): boolean {
  return wanted.length === published.size && wanted.every((one) => published.has(nameOfTable(one)));
}

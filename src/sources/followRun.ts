import type { Sql } from '../db/db.ts';
import type { Fence } from '../streams/fence.ts';
import type { Passes } from '../streams/passes.ts';
import { createChunkDesk, type ChunkDesk } from './chunkDesk.ts';
import type { FencedAppend } from './fencedAppend.ts';
import { createGroupStore, type GroupStore } from './groupStore.ts';
import { ofDatabase, OfDatabase } from './ofDatabase.ts';
import { openChunkReader, type ChunkReader } from './postgres/chunkReader.ts';
import { createChunkWindow, type ChunkWindow } from './postgres/chunkWindow.ts';
import { followLog } from './postgres/followLog.ts';
import type { LogEnding } from './postgres/logEnding.ts';
import type { SourceConfig } from './postgres/sourceConfig.ts';
import { collectionOf } from './postgres/tableShape.ts';
import { goneDetail, readTables, type TableToRead } from './readTables.ts';
import type { SetUp } from './setUp.ts';
import { createSightings } from './sightings.ts';
import type { SourceDatabase } from './sourceDatabase.ts';
import { noteTable, type ClaimedSource, type Seen } from './sourceLeases.ts';
import { noteProblems } from './sourceProblems.ts';

export interface FollowRunOptions {
  /** Millrace's own. */
  sql: Sql;
  source: ClaimedSource;
  setUp: SetUp;
  config: SourceConfig;
  database: SourceDatabase;
  fence: Fence;
  append: FencedAppend['append'];
  passes: Pick<Passes, 'begin' | 'complete'>;
  /** Is given what will tell what was seen. */
  onSight: (take: () => Seen) => void;
  /** Ends it. */
  signal: AbortSignal;
}

/** How following a log has ended. */
export type RunEnding = LogEnding | { kind: 'tables changed' };

/** The prefix of our messages in the log of a source. */
const PREFIX = 'millrace';
const LIMITS = { maxRows: 2_000, maxBytes: 16 * 1024 * 1024 };

/**
 * Follows the log of a source that is set up, and reads its tables beside, until `signal` aborts or something ends it;
 * resolves with the reason. `tables changed`: some are not published any more. Rejects with what went wrong, with an
 * `OfDatabase` when that was in the database of the source.
 */
export async function followRun(options: FollowRunOptions): Promise<RunEnding> {
  await noteStates(options);
  const desk = createChunkDesk();
  const ending = new AbortController();
  const signal = AbortSignal.any([options.signal, ending.signal]);
  // After it is known from where the log is followed, and before anything of it is seen.
  const { reader, window } = await openWindow(options);
  const store = openStore(options, desk, window);
  const sightings = createSightings({ ...options, store });
  options.onSight(sightings.take);
  const following = follow(options, store, signal);
  const reading =
    reader === null ? Promise.resolve() : read(options, { reader, desk, store, signal });
  const measuring = sightings.measure(signal).then(() => ({ kind: 'tables changed' as const }));
  try {
    return await Promise.race([
      following,
      unlessAborted(measuring, signal),
      unlessAborted(reading, signal).then(() => following),
    ]);
  } finally {
    ending.abort();
    desk.close(new Error('Following has ended'));
    await reader?.[Symbol.asyncDispose]();
    await Promise.allSettled([following, reading, measuring]);
  }
}

/** What can be said before anything is read; a question to somebody stays. */
async function noteStates({ sql, source, setUp }: FollowRunOptions): Promise<void> {
  for (const { name, progress } of setUp.tables.values()) {
    if (progress.phase === 'closing') continue;
    const state = progress.phase === 'done' ? 'following' : 'waiting';
    await noteTable(sql, source, { ...name, state, detail: null });
  }
  for (const name of setUp.gone) {
    await noteTable(sql, source, { ...name, state: 'gone', detail: goneDetail(name) });
  }
}

/** A reader only if there is a table to read. */
async function openWindow({
  config,
  setUp,
}: FollowRunOptions): Promise<{ reader: ChunkReader | null; window: ChunkWindow }> {
  const isRead = [...setUp.tables.values()].every(({ progress }) => progress.phase === 'done');
  if (isRead) return { reader: null, window: createChunkWindow(new Set()) };
  return ofDatabase(async () => {
    const reader = await openChunkReader(config, PREFIX);
    const { underWay } = await reader.visibility();
    return { reader, window: createChunkWindow(underWay) };
  });
}

function openStore(
  { sql, source, setUp, append, fence, passes }: FollowRunOptions,
  desk: ChunkDesk,
  window: ChunkWindow,
): GroupStore {
  return createGroupStore({
    source,
    log: setUp.log,
    tables: setUp.tables,
    window,
    desk,
    append,
    fence,
    passes,
    noteProblems: (problems) => noteProblems(sql, source.id, problems),
  });
}

/** Follows the log, by a second session from where the first one ended if that could not decode it. */
async function follow(
  options: FollowRunOptions,
  store: GroupStore,
  signal: AbortSignal,
): Promise<LogEnding> {
  const ending = await followBySession(options, store, signal);
  return ending.kind === 'log unreadable' ? followBySession(options, store, signal) : ending;
}

/** Follows the log; an error of the store is one of ours, and any other is of the database that is followed. */
async function followBySession(
  { source, setUp, config }: FollowRunOptions,
  store: GroupStore,
  signal: AbortSignal,
): Promise<LogEnding> {
  const ours: { error: unknown }[] = [];
  try {
    return await followLog({
      ...LIMITS,
      config,
      slot: source.slot,
      publication: source.publication,
      from: store.place,
      keyOf: (schema, table) => setUp.tables.get(collectionOf(schema, table))?.progress.key ?? null,
      prefix: PREFIX,
      store: (group) =>
        store.store(group).catch((error: unknown) => {
          ours.push({ error });
          throw error;
        }),
      signal,
    });
  } catch (error) {
    throw ours.some((one) => one.error === error) ? error : new OfDatabase(error);
  }
}

function read(
  { sql, source, setUp, passes }: FollowRunOptions,
  parts: { reader: ChunkReader; desk: ChunkDesk; store: GroupStore; signal: AbortSignal },
): Promise<void> {
  const tables = [...setUp.tables].map(([collection, { name, isConfirmed }]): TableToRead => {
    const { schema, table } = name;
    return { schema, table, collection, isConfirmed };
  });
  const { reader } = parts;
  return readTables({
    ...parts,
    tables,
    passes,
    reader: {
      read: (request) => ofDatabase(() => reader.read(request)),
      rowBytes: (table) => ofDatabase(() => reader.rowBytes(table)),
      visibility: () => ofDatabase(() => reader.visibility()),
    },
    note: (table, note) => noteTable(sql, source, { ...table, ...note }),
  });
}

/** Work that stays open when it ends because it was aborted. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return work.catch((error: unknown) => {
    if (!signal.aborted) throw error;
    return new Promise<T>(() => undefined);
  });
}

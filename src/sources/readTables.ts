import { setTimeout as pause } from 'node:timers/promises';

import { newId } from '../db/ids.ts';
import { Refusal } from '../db/refusal.ts';
import { codeOf } from '../egress/errorCode.ts';
import type { Passes } from '../streams/passes.ts';
import type { ChunkDesk } from './chunkDesk.ts';
import { firstChunkRows, nextChunkRows } from './chunkSize.ts';
import type { ChunkOutcome, ChunkPlace, PlacedChunk } from './groupPlan.ts';
import type { GroupStore } from './groupStore.ts';
import type { ChunkReader } from './postgres/chunkReader.ts';
import type { TableName } from './postgres/databaseFacts.ts';
import { isVisible, type Visibility } from './postgres/snapshotText.ts';
import { afterClosing, type TableProgress } from './postgres/tableProgress.ts';
import { nameOfTable } from './tableName.ts';

/** A table whose rows may have to be read. */
export interface TableToRead extends TableName {
  collection: string;
  /** Whether it may delete more than a fifth of its records. */
  isConfirmed: boolean;
}

/** What people see of it. */
export type TableNote = {
  state: 'waiting' | 'reading' | 'asking' | 'following' | 'gone';
  detail: string | null;
};

export interface ReadTablesOptions {
  tables: readonly TableToRead[];
  reader: Pick<ChunkReader, 'read' | 'rowBytes' | 'visibility'>;
  desk: ChunkDesk;
  store: Pick<GroupStore, 'progressOf' | 'goOn'>;
  passes: Pick<Passes, 'complete'>;
  note: (table: TableName, note: TableNote) => Promise<void>;
  signal: AbortSignal;
}

/** How often it is asked whether transactions are over, ms; and after which time people are told of them. */
const LOOK_MS = 200;
const TELL_MS = 5_000;
const NO_TABLE = '42P01';

/**
 * Reads the rows of tables that are still to be read, one table after another, while the log is followed; resolves once
 * each of them is read, asks, or is gone. The transactions that were under way at its beginning have to be over before a
 * row is read: what they did in a table before that was published is not in the log.
 */
export async function readTables(options: ReadTablesOptions): Promise<void> {
  const { tables, store } = options;
  const isOpen = ({ collection }: TableToRead): boolean =>
    store.progressOf(collection).phase !== 'done';
  const open = tables.filter(isOpen);
  const [first] = open;
  if (first === undefined) return;
  const { underWay } = await options.reader.visibility();
  await untilOver(options, first, [...underWay]);
  for (const table of open) await readTable(options, table);
}

async function readTable(options: ReadTablesOptions, table: TableToRead): Promise<void> {
  const { store, note } = options;
  const isAsking = store.progressOf(table.collection).phase === 'closing' && !table.isConfirmed;
  if (!isAsking) await note(table, { state: 'reading', detail: null });
  try {
    while (store.progressOf(table.collection).phase === 'reading') await sweep(options, table);
  } catch (error) {
    if (codeOf(error) !== NO_TABLE) throw error;
    await note(table, { state: 'gone', detail: goneDetail(table) });
    return;
  }
  const question = await closeReading(options, table);
  if (question === null) await note(table, { state: 'following', detail: null });
  else await note(table, { state: 'asking', detail: question });
}

/** What people are told of a table that is not there. */
export function goneDetail(table: TableName): string {
  return `${nameOfTable(table)} is not in the database any more. Its records stay as they are. Remove it from the source, or create it again and read it anew.`;
}

/** Reads on until the end of the table, or until a chunk can't be used; reads one chunk while another one is stored. */
async function sweep(options: ReadTablesOptions, table: TableToRead): Promise<void> {
  const { store, reader } = options;
  let from = placeOf(store.progressOf(table.collection));
  let limit = firstChunkRows(await reader.rowBytes(table));
  let before: Promise<ChunkOutcome> | null = null;
  for (;;) {
    const { chunk, settled } = await readChunk(options, table, { from, limit });
    if (before !== null && !(await isStored(options, table, await before))) {
      await settled; // what was read beyond it is void
      return;
    }
    if (chunk.last === null) {
      await isStored(options, table, await settled);
      return;
    }
    before = settled;
    from = { ...from, after: chunk.last };
    limit = nextChunkRows({ rows: chunk.rows.length, characters: charactersOf(chunk) });
  }
}

async function readChunk(
  { reader, desk, store }: ReadTablesOptions,
  { schema, table, collection }: TableToRead,
  { from, limit }: { from: ChunkPlace; limit: number },
): Promise<{ chunk: PlacedChunk; settled: Promise<ChunkOutcome> }> {
  const { key } = store.progressOf(collection);
  const id = newId();
  const { settled, isRead, failed } = desk.open(id);
  try {
    const read = await reader.read({ id, schema, table, key, after: from.after, limit });
    const chunk = { ...read, collection, from };
    isRead(chunk);
    return { chunk, settled };
  } catch (error) {
    failed(error as Error);
    throw error;
  }
}

/** Whether a chunk is stored; if it has to be read again, waits until that may help. */
async function isStored(
  options: ReadTablesOptions,
  table: TableToRead,
  outcome: ChunkOutcome,
): Promise<boolean> {
  if (outcome.kind === 'again') await untilOver(options, table, outcome.waitsFor);
  return outcome.kind === 'stored';
}

/** Waits until transactions are over, however long they last. */
async function untilOver(
  { reader, note, signal }: ReadTablesOptions,
  table: TableToRead,
  xids: readonly number[],
): Promise<void> {
  const tellAt = performance.now() + TELL_MS;
  let isTold = false;
  for (;;) {
    const seen = await reader.visibility();
    const open = xids.filter((xid) => !isVisible(seen, xid));
    if (open.length === 0) break;
    if (!isTold && performance.now() > tellAt) {
      await note(table, { state: 'reading', detail: waitingDetail(open, seen) });
      isTold = true;
    }
    await pause(LOOK_MS, undefined, { signal });
  }
  if (isTold) await note(table, { state: 'reading', detail: null });
}

function waitingDetail(open: readonly number[], { next }: Visibility): string {
  const ids = [...open].sort((a, b) => ((next - b) >>> 0) - ((next - a) >>> 0));
  return `Its rows are read once a transaction ends that is open in the database (its id is ${ids[0]}): it may have changed some of them.`;
}

/** Deletes what has not come; returns the question that somebody has to answer first, or null. */
async function closeReading(
  { store, passes, signal }: ReadTablesOptions,
  { collection, isConfirmed }: TableToRead,
): Promise<string | null> {
  const { phase, pass } = store.progressOf(collection);
  if (phase !== 'closing' || pass === null) return null;
  try {
    await orAborted(passes.complete(pass, isConfirmed), signal);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.options.code === 'too_many_deletes') return questionOf(error);
    if (error.options.code !== 'pass_superseded') throw error; // a later pass decides what is deleted
  }
  await store.goOn(collection, afterClosing);
  return null;
}

/** Work that may take long, and goes on by itself after an abort. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  return Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', abort));
}

function questionOf({ options: { extra = {} } }: Refusal): string {
  const { count, records } = extra as { count: number; records: number };
  return `${count} of its ${records} records are not in the table. Confirm that they may be deleted, or find out why they are missing.`;
}

function placeOf({ snapshot, sweep: nth, after }: TableProgress): ChunkPlace {
  return { snapshot, sweep: nth, after };
}

function charactersOf({ rows }: PlacedChunk): number {
  return rows.reduce((sum, row) => sum + (row.kind === 'row' ? (row.data?.length ?? 0) : 0), 0);
}

import { DATA_BYTES } from '../schema/stream.ts';
import type { RecordChange } from '../streams/derive.ts';
import { isDeeperThan } from '../streams/exactJson.ts';
import type { ReadChunk } from './postgres/chunkReader.ts';
import type { ChunkWindow } from './postgres/chunkWindow.ts';
import type { LogItem } from './postgres/groupCutter.ts';
import type { Lsn } from './postgres/lsn.ts';
import type { Change, RowChange } from './postgres/rowChange.ts';
import {
  afterChange,
  afterChunk,
  afterTruncation,
  type TableProgress,
} from './postgres/tableProgress.ts';

/** Rows that were read of a table, and where they go on from. */
export interface PlacedChunk extends ReadChunk {
  collection: string;
  from: ChunkPlace;
}

/** Where in the reading of a table a chunk begins. */
export type ChunkPlace = Pick<TableProgress, 'snapshot' | 'sweep' | 'after'>;

/** What became of a chunk. */
export type ChunkOutcome =
  | { kind: 'stored' }
  /** It is to be read again once these transactions are over. */
  | { kind: 'again'; waitsFor: number[] }
  /** The rows before it are not stored, or the table is to be read from its beginning. */
  | { kind: 'void' };

/** A change of a record, and where it was in the log. */
export interface PlannedChange {
  change: RecordChange;
  lsn: Lsn;
}

/** A row that can't be stored. */
export interface PlannedProblem {
  collection: string;
  upstreamId: string | null;
  reason: string;
  lsn: Lsn;
}

/** What is to be done for a group, in one transaction unless something is emptied. */
export interface GroupPlan {
  changes: PlannedChange[];
  /** Collections whose records are to be deleted; then there are no changes. */
  emptied: { collection: string; lsn: Lsn }[];
  /** How far tables are then, those that are as far as before left out. By collection, as all else. */
  progress: Map<string, TableProgress>;
  problems: PlannedProblem[];
  /** How many changes the log has brought. */
  counts: Map<string, number>;
  chunks: Map<string, ChunkOutcome>;
}

export interface PlanOptions {
  syncId: string;
  window: ChunkWindow;
  /** How far tables are, by collection. */
  tables: ReadonlyMap<string, TableProgress>;
  /** The chunks whose ends may be in the group, by their ids. */
  chunks: ReadonlyMap<string, PlacedChunk>;
}

/** As deep as the API accepts it. */
const DEEPEST = 500;

/** Decides what is to be done for the items of a group; the window sees them, so that each is planned once. */
export function planGroup(items: readonly LogItem[], options: PlanOptions): GroupPlan {
  const { syncId, window, tables, chunks } = options;
  const plan: GroupPlan = {
    changes: [],
    emptied: [],
    progress: new Map(),
    problems: [],
    counts: new Map(),
    chunks: new Map(),
  };
  let committedAt: string | undefined;

  function progressOf(collection: string): TableProgress | undefined {
    return plan.progress.get(collection) ?? tables.get(collection);
  }

  function goOn(collection: string, to: (before: TableProgress) => TableProgress): void {
    const before = progressOf(collection);
    if (before === undefined) return;
    const after = to(before);
    if (after !== before) plan.progress.set(collection, after);
  }

  function takeFromLog(change: Change, lsn: Lsn): void {
    const { collection } = change;
    plan.counts.set(collection, (plan.counts.get(collection) ?? 0) + 1);
    if (change.kind === 'truncate') {
      plan.emptied.push({ collection, lsn });
      goOn(collection, afterTruncation);
      return;
    }
    take(change, lsn, committedAt);
    if (change.kind === 'row') goOn(collection, (before) => afterChange(before, change));
  }

  function take(change: Exclude<Change, { kind: 'truncate' }>, lsn: Lsn, at?: string): void {
    const { collection, upstreamId } = change;
    const reason = change.kind === 'unreadable' ? change.reason : whyUnfit(change);
    if (reason !== null) plan.problems.push({ collection, upstreamId, reason, lsn });
    if (reason !== null || change.kind === 'unreadable') return;
    const passId = progressOf(collection)?.pass ?? undefined;
    plan.changes.push({ change: toRecordChange(change, { syncId, passId, at }), lsn });
  }

  function takeChunk(chunk: PlacedChunk, lsn: Lsn): ChunkOutcome {
    const { collection, from, last } = chunk;
    const progress = progressOf(collection);
    if (progress === undefined || !goesOn(progress, from)) return { kind: 'void' };
    const settled = window.settle(chunk);
    if (settled.kind === 'again') return settled;
    const ids: string[] = [];
    for (const row of settled.rows) {
      if (row.kind === 'truncate') continue;
      take(row, lsn);
      if (row.upstreamId !== null) ids.push(row.upstreamId);
    }
    goOn(collection, (before) => afterChunk(before, { ids, rows: chunk.rows.length, last }));
    return { kind: 'stored' };
  }

  for (const item of items) {
    const ended = window.see(item);
    if (item.kind === 'transaction') {
      ({ committedAt } = item);
      continue;
    }
    if (item.kind === 'change') takeFromLog(item.change, item.lsn);
    const chunk = ended === null ? undefined : chunks.get(ended);
    if (chunk !== undefined) plan.chunks.set(chunk.id, takeChunk(chunk, item.lsn));
  }
  return plan;
}

/** Whether what is stored of a table ends where a chunk begins. */
function goesOn({ phase, snapshot, sweep, after }: TableProgress, from: ChunkPlace): boolean {
  const isSame = snapshot === from.snapshot && sweep === from.sweep;
  return phase === 'reading' && isSame && JSON.stringify(after) === JSON.stringify(from.after);
}

function whyUnfit({ data }: RowChange): string | null {
  if (data === null) return null;
  if (Buffer.byteLength(data) > DATA_BYTES) return `The row is larger than ${DATA_BYTES} bytes`;
  return isDeeperThan(data, DEEPEST) ? `The row is nested deeper than ${DEEPEST} levels` : null;
}

function toRecordChange(
  row: RowChange,
  { syncId, passId, at }: { syncId: string; passId: string | undefined; at: string | undefined },
): RecordChange {
  const { collection: collectionId, upstreamId, data, merge, movedFrom, deleted } = row;
  return {
    syncId,
    collectionId,
    upstreamId,
    // Between the tokens of a json there may be line ends, which would end a line of what is sent as lines.
    data: data?.replaceAll(/[\n\r]/gu, ' ') ?? null,
    merge,
    ...(movedFrom === null ? {} : { movedFrom }),
    passId,
    deleted,
    upstreamCreatedAt: undefined,
    upstreamUpdatedAt: at,
  };
}

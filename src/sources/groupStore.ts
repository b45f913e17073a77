import { createHash } from 'node:crypto';

import { Refusal } from '../db/refusal.ts';
import type { CheckpointInput } from '../schema/checkpoint.ts';
import type { Fence } from '../streams/fence.ts';
import type { Passes } from '../streams/passes.ts';
import type { ChunkDesk } from './chunkDesk.ts';
import type { FencedAppend } from './fencedAppend.ts';
import { planGroup, type GroupPlan, type PlacedChunk, type PlannedProblem } from './groupPlan.ts';
import { endOfChunk, type ChunkWindow } from './postgres/chunkWindow.ts';
import type { TableName } from './postgres/databaseFacts.ts';
import type { LogGroup, Place } from './postgres/groupCutter.ts';
import { formatLsn, type Lsn } from './postgres/lsn.ts';
import type { TableProgress } from './postgres/tableProgress.ts';
import type { RowProblem } from './sourceProblems.ts';
import { logCheckpoint, tableCheckpoint } from './sourceProgress.ts';
import { nameOfTable } from './tableName.ts';

/** Where the groups of a source's log are stored, and how far its tables are read. */
export interface GroupStore {
  /** Resolves once the group and its place are on disk. One group after another, in the order of the log. */
  store(group: LogGroup): Promise<void>;
  /** How far a table is; what is stored later moves it on. */
  progressOf(collection: string): TableProgress;
  /** Stores what `change` makes of how far a table is, between two groups. */
  goOn(collection: string, change: (before: TableProgress) => TableProgress): Promise<void>;
  /** Everything up to here is stored. */
  readonly place: Place;
  /** When the oldest transaction was committed that is being stored, by the clock of its database; null: none is. */
  readonly storingSince: string | null;
  /** How many changes each collection has had since this was asked last. */
  takeCounts(): Map<string, number>;
}

export interface GroupStoreOptions {
  source: { id: string; syncId: string };
  log: { id: string; place: Place };
  /** By collection. */
  tables: ReadonlyMap<string, { name: TableName; progress: TableProgress }>;
  window: ChunkWindow;
  desk: ChunkDesk;
  append: FencedAppend['append'];
  fence: Fence;
  passes: Pick<Passes, 'begin' | 'complete'>;
  noteProblems: (problems: RowProblem[]) => Promise<void>;
}

export function createGroupStore(options: GroupStoreOptions): GroupStore {
  const { source, window, desk, append, passes } = options;
  const progress = new Map([...options.tables].map(([name, table]) => [name, table.progress]));
  let counts = new Map<string, number>();
  let { place } = options.log;
  let storingSince: string | null = null;
  let last: Promise<unknown> = Promise.resolve();

  /** One piece of work after another. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = last.then(work);
    last = next.catch(() => undefined); // the caller gets the error
    return next;
  }

  async function store(group: LogGroup): Promise<void> {
    storingSince = sinceOf(group);
    const chunks = await chunksIn(group);
    const plan = planGroup(group.items, {
      syncId: source.syncId,
      window,
      tables: progress,
      chunks,
    });
    if (plan.problems.length > 0) await note(plan.problems);
    for (const { collection, lsn } of plan.emptied) await empty(collection, lsn);
    const checkpoints = [
      logCheckpoint(source.id, { id: options.log.id, place: group.place }),
      ...tableCheckpoints(plan.progress),
    ];
    await append(plan.changes, checkpoints, async ({ change, lsn }, reason) => {
      const { collectionId: collection, upstreamId } = change;
      await note([{ collection, upstreamId, reason, lsn }]);
    });
    place = group.place;
    isStored(plan);
    storingSince = null;
  }

  /** The chunks that end in a group and were read by this process. */
  async function chunksIn({ items }: LogGroup): Promise<Map<string, PlacedChunk>> {
    const found = new Map<string, PlacedChunk>();
    for (const item of items) {
      const id = item.kind === 'mark' ? endOfChunk(item.content) : null;
      if (id !== null && desk.has(id)) found.set(id, await desk.read(id));
    }
    return found;
  }

  function isStored(plan: GroupPlan): void {
    for (const [collection, after] of plan.progress) progress.set(collection, after);
    for (const [collection, count] of plan.counts)
      counts.set(collection, (counts.get(collection) ?? 0) + count);
    for (const [id, outcome] of plan.chunks) desk.settle(id, outcome);
  }

  /** Deletes the records of a collection; repeating it has no further effect. */
  async function empty(collectionId: string, lsn: Lsn): Promise<void> {
    const names = [source.id, options.log.id, formatLsn(lsn), collectionId];
    for (let nth = 0; ; nth += 1) {
      const id = uuidOf([...names, String(nth)]);
      await passes.begin({ id, syncId: source.syncId, collectionId, fence: options.fence });
      if (await isCompleted(id)) return;
    }
  }

  /** False when somebody else has begun a pass of the same collection meanwhile. */
  async function isCompleted(id: string): Promise<boolean> {
    try {
      await passes.complete(id, true);
      return true;
    } catch (error) {
      if (error instanceof Refusal && error.options.code === 'pass_superseded') return false;
      throw error;
    }
  }

  async function goOn(
    collection: string,
    change: (before: TableProgress) => TableProgress,
  ): Promise<void> {
    await inTurn(async () => {
      const after = change(progressOf(collection));
      await append([], tableCheckpoints(new Map([[collection, after]])));
      progress.set(collection, after);
    });
  }

  function progressOf(collection: string): TableProgress {
    const known = progress.get(collection);
    if (known === undefined) throw new Error(`${collection} is not of the source ${source.id}`);
    return known;
  }

  function tableCheckpoints(changed: ReadonlyMap<string, TableProgress>): CheckpointInput[] {
    return [...changed].map(([collection, after]) =>
      tableCheckpoint(source.id, nameOfTable(nameOf(collection)), after),
    );
  }

  function nameOf(collection: string): TableName {
    const table = options.tables.get(collection);
    if (table === undefined) throw new Error(`${collection} is not of the source ${source.id}`);
    return table.name;
  }

  function note(problems: readonly PlannedProblem[]): Promise<void> {
    return options.noteProblems(
      problems.map(({ collection, ...rest }) => ({ ...nameOf(collection), ...rest })),
    );
  }

  return {
    store: (group) => inTurn(() => store(group)),
    progressOf,
    goOn,
    get place() {
      return place;
    },
    get storingSince() {
      return storingSince;
    },
    takeCounts: () => {
      const taken = counts;
      counts = new Map();
      return taken;
    },
  };
}

function sinceOf({ items }: LogGroup): string | null {
  const first = items.find((item) => item.kind === 'transaction');
  return first?.committedAt ?? null;
}

/** A UUID that is always the same for the same texts (version 8 of RFC 9562). */
function uuidOf(texts: readonly string[]): string {
  const bytes = createHash('sha256').update(JSON.stringify(texts)).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}

import { recordOf } from '../rules/ordering.ts';
import type { Entry } from './entry.ts';

/** The newest entries of a stream in memory: all entries from some position up to the newest that was read. */
export interface RecentEntries {
  /** Everything up to here has been read; null until `start`. */
  readonly end: number | null;
  /** Starts to keep the entries after this position. */
  start(end: number): void;
  /**
   * Adds the entries that were read between the end and `scannedTo`, which becomes the end, and drops
   * the oldest entries when there are too many.
   */
  add(read: readonly Entry[], scannedTo: number): void;
  /**
   * Up to `limit` entries after `after`, of one sync only unless `sync` is null; null when memory does not
   * go back that far.
   */
  since(after: number, limit: number, sync?: string | null): Since | null;
  /** Forgets everything, as before `start`. */
  clear(): void;
}

/** A part of the entries without a copy of them: those at the indexes `from` (inclusive) to `to` (exclusive). */
export interface Since {
  entries: readonly Entry[];
  from: number;
  to: number;
  /** The part holds every entry up to this position, or every one of the sync. */
  scannedTo: number;
}

export interface RecentEntriesOptions {
  maxEntries: number;
  maxBytes: number;
  /** Whether an entry supersedes an older one of its record, as on the records stream. */
  supersedes: boolean;
}

/** The bounds may be exceeded by a quarter before entries are dropped, so that the array is copied rarely. */
const SLACK = 1.25;

/** Creates an empty memory of entries, which exceeds its two bounds by a quarter at most. */
export function createRecentEntries(options: RecentEntriesOptions): RecentEntries {
  const { maxEntries, maxBytes, supersedes } = options;
  const newest = new Map<string, Entry>(); // the newest entry of each record; unused without `supersedes`
  let entries: Entry[] = [];
  let bySync: Map<string, Entry[]> | null = null; // made when it is first needed
  let bytes = 0;
  let beginning = 0; // `entries` holds all of (beginning, end]
  let end: number | null = null;

  function start(position: number): void {
    end = position;
    beginning = position;
  }

  function add(read: readonly Entry[], scannedTo: number): void {
    for (const entry of read) keep(entry);
    if (entries.length > maxEntries * SLACK || bytes > maxBytes * SLACK) trim();
    end = Math.max(end ?? 0, scannedTo);
  }

  function keep(entry: Entry): void {
    entries.push(entry);
    if (bySync !== null) index(bySync, entry);
    bytes += entry.bytes;
    if (!supersedes) return;
    const record = recordOf(entry);
    const older = newest.get(record);
    if (older !== undefined) older.superseded = true; // its record has moved to this position
    newest.set(record, entry);
  }

  function trim(): void {
    let dropped = 0;
    while (entries.length - dropped > maxEntries || bytes > maxBytes) {
      const entry = entries[dropped];
      if (entry === undefined) break;
      bytes -= entry.bytes;
      beginning = entry.position;
      dropped += 1;
      if (!supersedes) continue;
      const record = recordOf(entry);
      if (newest.get(record) === entry) newest.delete(record);
    }
    entries = entries.slice(dropped);
    if (bySync !== null) bySync = indexOf(entries);
  }

  function since(after: number, limit: number, sync: string | null = null): Since | null {
    if (end === null || after < beginning) return null;
    const some = sync === null ? entries : ofSync(sync);
    const from = firstAfter(some, after);
    const to = Math.min(some.length, from + limit);
    const scannedTo = to === some.length ? Math.max(end, after) : (some[to - 1]?.position ?? after);
    return { entries: some, from, to, scannedTo };
  }

  function ofSync(sync: string): readonly Entry[] {
    bySync ??= indexOf(entries);
    return bySync.get(sync) ?? NONE;
  }

  function clear(): void {
    entries = [];
    bySync = null;
    newest.clear();
    bytes = 0;
    end = null;
  }

  return {
    get end() {
      return end;
    },
    start,
    add,
    since,
    clear,
  };
}

const NONE: readonly Entry[] = [];

function indexOf(entries: readonly Entry[]): Map<string, Entry[]> {
  const bySync = new Map<string, Entry[]>();
  for (const entry of entries) index(bySync, entry);
  return bySync;
}

function index(bySync: Map<string, Entry[]>, entry: Entry): void {
  const others = bySync.get(entry.syncId);
  if (others === undefined) bySync.set(entry.syncId, [entry]);
  else others.push(entry);
}

/** The index of the first entry after a position, by binary search. */
function firstAfter(entries: readonly Entry[], position: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.position ?? 0) > position) high = middle;
    else low = middle + 1;
  }
  return low;
}

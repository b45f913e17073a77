import { setTimeout as sleep } from 'node:timers/promises';

import type { Logger } from 'pino';

import { CHANNELS } from '../db/channels.ts';
import type { Listener } from '../db/listener.ts';
import { recordOf } from '../rules/ordering.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Entry } from './entry.ts';
import type { Pages } from './pages.ts';

const MAX_ENTRIES = 20_000;
const MAX_BYTES = 32 * 1024 * 1024;
const PAGE = { limit: 2_000, maxBytes: 8 * 1024 * 1024, scanRows: 10_000 };
/** Followers with longer lists are called for everything. */
const MAX_SYNCS = 100;
const BUSY_ENTRIES = 16;
const BUSY_MS = 5;
const EVERYTHING = { syncs: ['*'], collections: ['*'], event_types: ['*'] };

/** The newest entries of one stream, read once a process and shared by its drains. */
export interface Tail {
  /**
   * Calls `advanced` when entries were read that may be of these syncs (null: any); reads only
   * while someone follows. Nobody is called for what it can't match, so it looks by itself now
   * and then how far the tail has come.
   */
  follow(advanced: () => void, syncs?: readonly string[] | null): () => void;
  /**
   * Up to `limit` entries after `after`, and how far they reach; null when memory does not go
   * back that far, or nothing has been read yet.
   */
  since(
    after: number,
    limit: number,
  ): { entries: readonly Entry[]; from: number; to: number; scannedTo: number } | null;
  /** Everything up to here has been read; null before the first reading. */
  readonly end: number | null;
  close(): void;
}

export interface TailOptions {
  stream: StreamName;
  pages: Pages;
  listener: Pick<Listener, 'on'>;
  /** Between two looks without a hint, ms: NOTIFY only hurries what this would find. */
  pollMs: number;
  log: Logger;
}

export function createTail(options: TailOptions): Tail {
  const { stream, pages, log } = options;
  const followers = new Set<() => void>();
  const followsAll = new Set<() => void>();
  const bySync = new Map<string, Set<() => void>>();
  let entries: Entry[] = [];
  let bytes = 0;
  let from = 0; // entries holds all of (from, end]
  let end: number | null = null;
  let reading = false;
  let again = false;
  const newest = new Map<string, Entry>(); // records stream: which version is the latest in memory
  const unlisten = options.listener.on(CHANNELS[stream], hint);
  const timer = setInterval(hint, options.pollMs);

  function hint(): void {
    if (followers.size === 0) return;
    again = true;
    if (!reading) void read();
  }

  async function read(): Promise<void> {
    reading = true;
    try {
      while (again && followers.size > 0) {
        again = false;
        const found = await readOn();
        // At a high rate one reading for several appends saves more than these few ms cost.
        if (found >= BUSY_ENTRIES) await sleep(BUSY_MS);
      }
    } catch (error) {
      log.warn({ err: error, stream }, 'the tail could not be read; trying again');
    } finally {
      reading = false;
    }
  }

  async function readOn(): Promise<number> {
    if (end === null) {
      // Start at the end: what lies before is read by page.
      const { last } = await pages.read({
        stream,
        after: Number.MAX_SAFE_INTEGER,
        filter: EVERYTHING,
        ...PAGE,
        limit: 1,
      });
      if (followers.size === 0) return 0;
      end = last;
      from = last;
      for (const advanced of followers) advanced();
      return 0;
    }
    const after = end;
    const page = await pages.read({ stream, after, filter: EVERYTHING, ...PAGE });
    // All who followed have left, and perhaps others came: those start anew, without this page.
    if (end !== after) return 0;
    for (const entry of page.entries) keep(entry);
    trim();
    const moved = page.scannedTo > after;
    end = Math.max(after, page.scannedTo);
    if (page.entries.length >= PAGE.limit || page.scannedTo < page.last) again = true;
    if (moved) tell(page.entries);
    return again ? 0 : page.entries.length;
  }

  /** Each follower once, though several entries may be for it. */
  function tell(read: readonly Entry[]): void {
    for (const advanced of followsAll) advanced();
    if (bySync.size === 0) return;
    const called = new Set<() => void>();
    for (const { syncId } of read) {
      for (const advanced of bySync.get(syncId) ?? []) called.add(advanced);
    }
    for (const advanced of called) advanced();
  }

  function keep(entry: Entry): void {
    entries.push(entry);
    bytes += entry.bytes;
    if (stream !== 'records') return;
    const key = recordOf(entry);
    const older = newest.get(key);
    if (older !== undefined) older.superseded = true; // it has moved here
    newest.set(key, entry);
  }

  function trim(): void {
    // A quarter over before anything is moved, so that it is moved rarely.
    if (entries.length <= MAX_ENTRIES * 1.25 && bytes <= MAX_BYTES * 1.25) return;
    let drop = 0;
    while (entries.length - drop > MAX_ENTRIES || bytes > MAX_BYTES) {
      const entry = entries[drop];
      if (entry === undefined) break;
      bytes -= entry.bytes;
      from = entry.position;
      drop += 1;
      const key = recordOf(entry);
      if (newest.get(key) === entry) newest.delete(key);
    }
    if (drop > 0) entries = entries.slice(drop);
  }

  function since(after: number, limit: number): ReturnType<Tail['since']> {
    if (end === null || after < from) return null;
    const first = firstAfter(entries, after);
    const to = Math.min(entries.length, first + limit);
    const scannedTo =
      to === entries.length ? Math.max(end, after) : (entries[to - 1]?.position ?? after);
    return { entries, from: first, to, scannedTo };
  }

  function follow(call: () => void, syncs: readonly string[] | null = null): () => void {
    const advanced = (): void => call(); // its own: whoever follows anew lets go of the old one
    const named = syncs === null || syncs.length > MAX_SYNCS ? null : syncs;
    followers.add(advanced);
    if (named === null) followsAll.add(advanced);
    for (const sync of named ?? []) {
      const others = bySync.get(sync) ?? new Set();
      bySync.set(sync, others.add(advanced));
    }
    hint();
    return () => {
      followers.delete(advanced);
      followsAll.delete(advanced);
      for (const sync of named ?? []) {
        const others = bySync.get(sync);
        others?.delete(advanced);
        if (others?.size === 0) bySync.delete(sync);
      }
      if (followers.size > 0) return;
      entries = [];
      newest.clear();
      bytes = 0;
      end = null;
    };
  }

  return {
    follow,
    since,
    get end() {
      return end;
    },
    close: () => {
      unlisten();
      clearInterval(timer);
      followers.clear();
      followsAll.clear();
      bySync.clear();
    },
  };
}

/** Index of the first entry after a position, by binary search. */
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

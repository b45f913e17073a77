import { setTimeout as sleep } from 'node:timers/promises';

import type { Logger } from 'pino';

import { CHANNELS } from '../db/channels.ts';
import type { Listener } from '../db/listener.ts';
import { createLoop } from '../process/loop.ts';
import type { StreamName } from '../schema/stream.ts';
import { createFollowers, type Call, type Keys } from './followers.ts';
import type { Pages } from './pages.ts';
import { createRecentEntries, type Since } from './recentEntries.ts';

const MAX_ENTRIES = 20_000;
const MAX_BYTES = 32 * 1024 * 1024;
const PAGE = { limit: 2_000, scanRows: 10_000 };
const BUSY_ENTRIES = 16;
const BUSY_MS = 5;
/** The pause between two readings while no follower would be called whatever is read, ms. */
const UNCALLED_MS = 100;
const EVERYTHING = { syncs: ['*'], collections: ['*'], event_types: ['*'] };

/** The newest entries of one stream, read once for all drains of the process. */
export interface Tail {
  /**
   * Calls `advanced` when entries have been read that may be of these syncs (null: any sync) or, where they are null,
   * of these collections, until the returned function is called. The tail reads only while it has followers. A follower is not
   * called for entries that cannot match, so it has to look now and then how far the tail has come.
   * It is called with how far the tail had come before: one that had looked at everything when it was
   * called last, or began to follow, has missed nothing up to there. While all followers follow no sync
   * at all, the tail reads some times a second, and immediately once another one comes.
   */
  follow(advanced: Call, syncs?: Keys, collections?: Keys): () => void;
  /**
   * Up to `limit` entries after `after`, of one sync only unless `sync` is null, and how far they reach;
   * null when memory does not go back that far, or when nothing has been read yet.
   */
  since(after: number, limit: number, sync?: string | null): Since | null;
  /** Everything up to this position has been read; null before the first reading. */
  readonly end: number | null;
  /**
   * The followers have been called for everything up to this position; null before the first reading. While
   * they are being called for a page, one after another, it is below `end`: a follower that has not been called
   * yet must not assume that the page holds nothing for it.
   */
  readonly told: number | null;
  close(): void;
}

export interface TailOptions {
  stream: StreamName;
  pages: Pick<Pages, 'read'>;
  listener: Pick<Listener, 'on'>;
  /** The pause between two readings without a NOTIFY, ms. NOTIFY only makes the next reading come sooner. */
  pollMs: number;
  /** How many bytes of entries are kept, apart from a quarter; 32 MB unless given. */
  maxBytes?: number;
  log: Pick<Logger, 'warn'>;
}

/** Creates a tail. While it has followers, it reads after each NOTIFY and every `pollMs`. */
export function createTail(options: TailOptions): Tail {
  const { stream, pages, log } = options;
  const { maxBytes = MAX_BYTES } = options;
  const page = { ...PAGE, filter: EVERYTHING, maxBytes: Math.ceil(maxBytes / 4) };
  const supersedes = stream === 'records';
  const recent = createRecentEntries({ maxEntries: MAX_ENTRIES, maxBytes, supersedes });
  const followers = createFollowers();
  let told: number | null = null;
  const loop = createLoop({
    turn: look,
    failed: (error) => log.warn({ err: error, stream }, 'the tail could not be read; trying again'),
  });
  const unlisten = options.listener.on(CHANNELS[stream], hint);
  const timer = setInterval(hint, options.pollMs);
  let lookedAt = -Infinity;
  let later: NodeJS.Timeout | null = null;

  function hint(): void {
    if (followers.size === 0) return;
    const early = followers.callable ? 0 : lookedAt + UNCALLED_MS - performance.now();
    if (early > 0) later ??= setTimeout(ask, early);
    else ask();
  }

  function ask(): void {
    if (later !== null) clearTimeout(later);
    later = null;
    loop.ask();
  }

  async function look(): Promise<void> {
    if (followers.size === 0) return;
    lookedAt = performance.now();
    if (recent.end === null) await start();
    else await readOn(recent.end);
  }

  /** Starts at the stream's end; drains read what lies before it page by page. */
  async function start(): Promise<void> {
    const after = Number.MAX_SAFE_INTEGER;
    const { last } = await pages.read({ stream, after, ...page, limit: 1 });
    if (followers.size === 0) return;
    recent.start(last);
    followers.tellAll();
    told = last;
  }

  async function readOn(after: number): Promise<void> {
    const read = await pages.read({ stream, after, ...page });
    // All followers have left meanwhile; if others came, they start again, without this page.
    if (recent.end !== after) return;
    recent.add(read.entries, read.scannedTo);
    if (read.entries.length >= PAGE.limit || read.scannedTo < read.last) loop.ask();
    if (read.scannedTo > after) followers.tell(read.entries, after);
    if (recent.end !== null) told = recent.end;
    // At a high rate, reading several appends together saves more time than these few ms cost.
    if (read.entries.length >= BUSY_ENTRIES && !loop.isAsked) await sleep(BUSY_MS);
  }

  function follow(advanced: Call, syncs: Keys = null, collections: Keys = null): () => void {
    const leave = followers.add(advanced, syncs, collections);
    hint();
    return () => {
      leave();
      if (followers.size > 0) return;
      recent.clear();
      told = null;
    };
  }

  return {
    follow,
    since: recent.since,
    get end() {
      return recent.end;
    },
    get told() {
      return told;
    },
    close: () => {
      unlisten();
      clearInterval(timer);
      if (later !== null) clearTimeout(later);
      followers.clear();
      void loop.close();
    },
  };
}

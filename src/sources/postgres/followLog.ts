import { createCatalog, type Catalog } from './catalog.ts';
import { createColumnTypes } from './columnType.ts';
import type { LogGroup, Place } from './groupCutter.ts';
import { endingOf, isSlotDoubtful, type LogEnding } from './logEnding.ts';
import { createLogGroups, type KeyOf } from './logGroups.ts';
import type { Lsn } from './lsn.ts';
import { decodeMessage, type LogMessage } from './pgoutput.ts';
import { openReplication, type ReplicationConnection } from './replicationConnection.ts';
import { decodeFrame } from './replicationFrame.ts';
import type { SourceConfig } from './sourceConfig.ts';

/** What to follow, and what to do with it. */
export interface FollowOptions {
  /** How to connect; the role needs the right to replicate. */
  config: SourceConfig;
  slot: string;
  publication: string;
  /** The place that was stored with the last group. */
  from: Place;
  keyOf: KeyOf;
  /** The prefix of the source's own messages in the log. */
  prefix: string;
  /** A transaction of more rows is stored in parts. */
  maxRows: number;
  /** So much of the log may be read and not stored, besides what one read of the socket brings. */
  maxBytes: number;
  /**
   * Resolves once the group and its place are on disk, in one transaction. Called for one group after another, in the
   * order of the log. When it rejects, following ends with that error.
   */
  store: (group: LogGroup) => Promise<void>;
  /** Aborting it ends following once the group that is being stored is stored. */
  signal: AbortSignal;
}

const STATUS_SHARE = 0.75;
/** How often the server is told how far everything is stored, at least, and how often that is stored while nothing is. */
const STATUS_MS = 1_000;
/** A group has at most this share of what may be held, so that reading never waits for the end of one. */
const GROUP_SHARE = 0.25;

/**
 * Follows a slot from a place, and gives each group of changes to `store`. The server is told that it may forget a part
 * of its log only when `store` has resolved for it; a part in which there is nothing to store is a group without items.
 * So a slot is never further than what is stored, unless somebody has moved it or what was stored is lost. Rejects with
 * an error of `store`, and with one that a new try would meet again; resolves with every other ending.
 */
export async function followLog(options: FollowOptions): Promise<LogEnding> {
  const catalog = createCatalog(options.config);
  try {
    return await followOnce(options, catalog);
  } catch (error) {
    if (error instanceof StoreError) throw error.cause;
    if (error instanceof SlotAhead) return { kind: 'slot lost', message: error.message };
    const slot = isSlotDoubtful(error) ? await catalog.slotState(options.slot) : null;
    const ending = endingOf(error, slot);
    if (ending === null) throw error;
    return ending;
  }
}

/** Keeps an error of `store`, which may be one of another database, apart from those of this one. */
class StoreError extends Error {}

/** The slot has forgotten a part of the log that is not stored. */
class SlotAhead extends Error {}

async function followOnce(options: FollowOptions, catalog: Catalog): Promise<LogEnding> {
  const { slot, publication, from, signal } = options;
  if (signal.aborted) return { kind: 'stopped' };
  const connection = await openReplication(options.config);
  const following = createFollowing(options, connection, catalog);
  const stopped = Promise.withResolvers<LogEnding>();
  const stop = (): void => stopped.resolve({ kind: 'stopped' });
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  const { timeoutMs } = connection;
  const statusMs = timeoutMs === 0 ? STATUS_MS : Math.min(STATUS_MS, timeoutMs * STATUS_SHARE);
  const status = setInterval(following.sayPlace, statusMs);
  try {
    const { onFrame } = following;
    const streamed = connection.stream({ slot, publication, from: from.lsn, onFrame });
    return await Promise.race([streamed, following.failed, stopped.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
    await following.end(); // the server goes on hearing of us meanwhile
    clearInterval(status);
    await connection.close();
  }
}

interface Following {
  onFrame: (content: Buffer) => void;
  /** Rejects with what went wrong on our side. */
  failed: Promise<never>;
  sayPlace: () => void;
  /** Waits for the group that is being stored, and says the last place; nothing more is stored. */
  end(): Promise<void>;
}

/**
 * Rejects if the slot begins after what is stored. A follower that has lost its lease, but does not know it yet, may have
 * created it anew since it was looked at last. While it is read, nobody can drop or move it.
 */
async function refuseSlotAhead(catalog: Catalog, { slot, from }: FollowOptions): Promise<void> {
  const place = await catalog.slotPlace(slot);
  if (place !== null && place > from.lsn) throw new SlotAhead('it begins after what is stored');
}

/** What happens between the frames that come and the groups that are stored. */
function createFollowing(
  options: FollowOptions,
  connection: ReplicationConnection,
  catalog: Catalog,
): Following {
  const { promise: failed, reject: fail } = Promise.withResolvers<never>();
  failed.catch(() => undefined); // following that has ended otherwise does not look at it
  const types = createColumnTypes();
  const groups = createLogGroups({
    ...options,
    maxGroupBytes: options.maxBytes * GROUP_SHARE,
    types,
  });
  let written: Lsn = options.from.lsn;
  let flushed: Lsn = options.from.lsn;
  /** Up to here there is nothing else to store. */
  let passed: Lsn = options.from.lsn;
  let storingBytes = 0;
  let storing: Promise<void> | null = null;
  let hasEnded = false;
  let isSlotChecked = false;
  /** Frames that wait until the catalog has answered; null while there is no question. */
  let waiting: Buffer[] | null = null;

  function onFrame(content: Buffer): void {
    if (!isSlotChecked) {
      isSlotChecked = true;
      void hold(() => refuseSlotAhead(catalog, options));
    }
    if (waiting !== null) return void waiting.push(Buffer.from(content));
    const frame = decodeFrame(content);
    if (frame.kind === 'keepalive') {
      onKeepalive(frame.end, frame.isReplyWanted);
      return;
    }
    if (frame.start > written) written = frame.start;
    const message = decodeMessage(frame.payload, frame.start);
    const missing = missingTypes(message);
    const bytes = content.length;
    if (missing.length === 0) return take(message, frame.start, bytes);
    void hold(async () => {
      types.add(missing, await catalog.types(missing));
      take(message, frame.start, bytes);
    });
  }

  function missingTypes(message: LogMessage): number[] {
    if (message.kind !== 'relation') return [];
    return types.missing(message.relation.columns.map(({ typeId }) => typeId));
  }

  function take(message: LogMessage, lsn: Lsn, bytes: number): void {
    groups.add(message, lsn, bytes);
    storeNext();
    pass(groups.end());
    pause();
  }

  /** Notes that there is nothing to store up to here but what waits. */
  function pass(end: Lsn): void {
    if (storing === null && groups.isIdle() && end > passed) passed = end;
  }

  /** A server that shuts down waits for an answer that says that everything is stored. */
  function onKeepalive(end: Lsn, isReplyWanted: boolean): void {
    if (end > written) written = end;
    pass(end);
    if (isReplyWanted) sayPlace();
  }

  /** Keeps the frames that come until a question is answered. */
  async function hold(question: () => Promise<void>): Promise<void> {
    waiting = [];
    pause();
    try {
      await question();
      const frames = waiting;
      waiting = null;
      for (const frame of frames) onFrame(frame);
      pause();
    } catch (error) {
      fail(error);
    }
  }

  function pause(): void {
    connection.setPaused(waiting !== null || groups.heldBytes() + storingBytes > options.maxBytes);
  }

  /** Has the next group stored, unless one is being stored. */
  function storeNext(): void {
    if (storing !== null || hasEnded) return;
    const group = groups.take();
    if (group !== null) startStoring(group);
  }

  function startStoring(group: LogGroup): void {
    storingBytes = group.bytes;
    storing = options.store(group).then(
      () => {
        storing = null;
        storingBytes = 0;
        stored(group);
      },
      (cause: unknown) => {
        storing = null;
        fail(new StoreError('A group could not be stored', { cause }));
      },
    );
  }

  function stored(group: LogGroup): void {
    if (group.place.lsn > flushed) flushed = group.place.lsn;
    storeNext();
    pass(groups.end());
    if (storing === null) say();
    pause();
  }

  /** Says how far everything is stored; before that it stores that there was nothing to store, if that is so. */
  function sayPlace(): void {
    const isPassed = storing === null && !hasEnded && groups.isIdle() && passed > flushed;
    if (isPassed) startStoring({ items: [], place: { lsn: passed, within: null }, bytes: 0 });
    else say();
  }

  function say(): void {
    connection.say({ written: written > flushed ? written : flushed, flushed });
  }

  async function end(): Promise<void> {
    hasEnded = true;
    await storing;
    say();
  }

  return { onFrame, failed, sayPlace, end };
}

import {
  type LoadedBody,
  type ParkedHead,
  type ParkedOps,
  type ParkedRow,
  type RecordKey,
} from '../progress/parkedRows.ts';
import type { Blame, Failed } from '../rules/outcome.ts';
import { lastAttemptMarginMs, nextDelayMs, parseRetryAfter, stretchOf } from '../rules/retry.ts';
import type { Entry } from '../streams/entry.ts';
import { createParkedBodies, type ParkedBodies } from './parkedBodies.ts';
import {
  isHandedOut,
  isOver,
  newParked,
  toFailure,
  type Clocks,
  type ParkedEntry,
} from './parkedEntry.ts';
import { createParkedFilter, type ParkedFilter } from './parkedFilter.ts';
import { createParkedLanes } from './parkedLanes.ts';
import { createParkedReadings, type ParkedReadings } from './parkedReadings.ts';
import { createParkedWrites } from './parkedWrites.ts';

/** When so many records have been parked since the last resume, single messages cannot be the reason. */
const MAX_PARKED = 10_000;

/**
 * How long after a failure an entry is tried for the last time if its window is over although its last attempt
 * was not made in time, ms.
 */
const LAST_TRY_MS = 250;

/**
 * The parked entries of a running sender, and the changes of them that are still to be written.
 * Entries of one record go out one after another, in order.
 */
export interface ParkedEntries extends Omit<ParkedReadings, 'load'>, Omit<ParkedFilter, 'apply'> {
  /** Whether a new entry of this record has to wait behind parked ones. */
  has(record: string): boolean;
  /** Takes an entry; without a failure it waits behind an earlier one of its record, untried. */
  park(entry: Entry, record: string, attempts: number, failed: Failed | null): void;
  /** Hands out the lowest entry that no earlier one of its record precedes, due or not. */
  first(): ParkedEntry | null;
  /**
   * Hands out the entries that are due while fewer than `atMost` are on their way. Each comes back by
   * `delivered`, `failed` or `postpone`, unless it is dropped meanwhile.
   */
  due(atMost?: number): ParkedEntry[];
  /** Takes over the lowest entries of these records; `limit` is how many of each were asked for. */
  loadRecords(records: RecordKey[], rows: ParkedRow[], limit: number): void;
  /** Gives its body to an entry that was handed out; false when it is not to be sent any more. */
  load(parked: ParkedEntry, loaded: LoadedBody | undefined): boolean;
  /** The attempt of an entry starts; false when it is not to be sent any more. */
  starts(parked: ParkedEntry): boolean;
  /**
   * The attempt of an entry ended without an outcome: it is to be sent again without being handed out again.
   * False when it is not to be sent any more.
   */
  lands(parked: ParkedEntry): boolean;
  /** The entry was delivered. */
  delivered(parked: ParkedEntry): void;
  /**
   * The entry failed. Returns when it is tried again, unix ms; null when it is not. Only a failure that is
   * blamed on the message replaces the one for which the entry is parked. Its window ends with the attempt that
   * was planned as its last; if that comes after the end because nothing was sent, or because an earlier entry
   * of its record had the turn, one more follows.
   */
  failed(parked: ParkedEntry, outcome: Failed, about: FailedParked): number | null;
  /** The entry was not tried, because its body could not be read: it is due again in `ms`. */
  postpone(parked: ParkedEntry, ms: number): void;
  /**
   * What has changed since the last call; null when nothing has. It has to be stored, and `committed`
   * called, before the next call.
   */
  toStore(): ParkedOps | null;
  /** What `toStore` returned last is in Postgres. */
  committed(): void;
  /** When the next entry is due, on the consumer's clock; now, at the latest, while any is on its way. */
  readonly nextDue: number;
  readonly size: number;
  /** The bodies in memory: those that are still to be stored, and those that were handed out. */
  readonly bodies: Pick<ParkedBodies, 'bytes'>;
  /** Whether something is still to be written. */
  readonly unwritten: boolean;
  /** Whether too many records are parked for single messages to be the reason. */
  readonly overflown: boolean;
}

/** The facts about a failed attempt at a parked entry. */
export interface FailedParked {
  blame: Blame;
  /** Whether the entry becomes a dead letter if this was its last attempt. */
  mayDie: boolean;
}

/** The data with which the parked entries of a sender begin. */
export interface ParkedEntriesOptions {
  /** How long an entry is tried before it dies. */
  windowMs: number;
  /** The consumer's own clock, ms. */
  clock: () => number;
  /** Unix ms, as Temporal counts. */
  nowMs: () => number;
  /** Unix ms by the clock of Postgres. */
  now: () => number;
  rows: ParkedHead[];
  /** How many records have been parked since the last resume. */
  total: number;
}

/**
 * Creates the parked entries of a sender from their rows. Which entries may go out is decided by
 * `lanes`; what is to be written of them is kept by `writes`.
 */
export function createParkedEntries(options: ParkedEntriesOptions): ParkedEntries {
  const { clock, nowMs, windowMs } = options;
  const bodies = createParkedBodies();
  const lanes = createParkedLanes(bodies);
  const writes = createParkedWrites({ bodies, nowMs });
  const readings = createParkedReadings({ lanes, writes });
  let { total } = options;
  const { apply, ...filter } = createParkedFilter(lanes, (parked) => leave(parked, 'done'));
  readings.merge(options.rows);

  const readClocks = (): Clocks => ({ nowMs: nowMs(), utcMs: options.now(), clockMs: clock() });

  function park(entry: Entry, record: string, attempts: number, failed: Failed | null): void {
    const now = readClocks();
    const counts = failed !== null && !lanes.has(record);
    const parked = newParked({ entry, record, attempts, failed, counts }, now);
    if (failed !== null) {
      parked.due = plan(parked, failed, now, windowMs) ?? now.clockMs;
      parked.plannedMs = parked.due;
    }
    lanes.insert(parked);
    bodies.keep(parked);
    if (counts) total += 1;
    writes.note(parked);
    lanes.hurry(record);
  }

  function committed(): void {
    lanes.shed(new Set(writes.committed().map((one) => one.record)));
  }

  function load(parked: ParkedEntry, loaded: LoadedBody | undefined): boolean {
    if (isOver(parked)) return false;
    if (loaded === undefined || loaded.superseded) {
      leave(parked, 'done');
      return false;
    }
    bodies.load(parked, loaded.body);
    if (!filter.wants(parked.entry)) leave(parked, 'done'); // its body was not known before
    return !isOver(parked);
  }

  function starts(parked: ParkedEntry): boolean {
    if (!isHandedOut(parked)) return false;
    parked.state = 'inFlight';
    return true;
  }

  function lands(parked: ParkedEntry): boolean {
    if (!isHandedOut(parked)) return false;
    parked.state = 'outgoing';
    if (!filter.wants(parked.entry)) leave(parked, 'done'); // the filter was changed meanwhile
    return !isOver(parked);
  }

  function failed(parked: ParkedEntry, outcome: Failed, about: FailedParked): number | null {
    if (isOver(parked)) return null;
    const isWanted = filter.wants(parked.entry); // before its body is let go
    lanes.giveBack(parked);
    if (!isWanted) {
      leave(parked, 'done'); // the filter was changed meanwhile
      return null;
    }
    const now = readClocks();
    parked.attempts += 1;
    parked.failingMs ??= now.clockMs;
    if (about.blame === 'message') parked.failure = toFailure(outcome, now.nowMs);
    const at = plan(parked, outcome, now, windowMs);
    if (at === null && about.mayDie && wasLast(parked, windowMs)) {
      leave(parked, 'dead');
      return null;
    }
    parked.plannedMs = at ?? (about.mayDie ? lastTryMs(parked, now, windowMs) : 0);
    lanes.schedule(parked, parked.plannedMs);
    writes.note(parked);
    lanes.hurry(parked.record);
    return now.nowMs + Math.max(0, parked.due - now.clockMs);
  }

  function postpone(parked: ParkedEntry, ms: number): void {
    if (isOver(parked)) return;
    lanes.giveBack(parked);
    lanes.schedule(parked, clock() + ms);
  }

  function leave(parked: ParkedEntry, end: 'done' | 'dead'): void {
    if (isOver(parked)) return;
    const next = lanes.remove(parked, end);
    writes.note(parked);
    if (next !== null) writes.note(next);
  }

  return {
    has: lanes.has,
    park,
    first: lanes.first,
    due: (atMost) => lanes.due(clock(), atMost),
    load,
    starts,
    lands,
    delivered: (parked) => leave(parked, 'done'),
    failed,
    postpone,
    ...filter,
    merge: readings.merge,
    toLoad: readings.toLoad,
    loadRecords: (records, rows, limit) => {
      readings.load(records, rows, limit);
      apply(); // a filter edit may have come before they were stored
    },
    toStore: writes.toStore,
    committed,
    get nextDue() {
      return lanes.nextDue(clock());
    },
    get size() {
      return lanes.size;
    },
    bodies,
    get unwritten() {
      return writes.unwritten;
    },
    get overflown() {
      return total >= MAX_PARKED;
    },
  };
}

/** The time of the last attempt in the window of an entry, on the consumer's clock. */
function lastInWindowMs({ parkedMs }: ParkedEntry, windowMs: number): number {
  return parkedMs + windowMs - lastAttemptMarginMs(windowMs);
}

/** Whether the attempt that has ended was planned as the last one; stored times are whole ms. */
function wasLast(parked: ParkedEntry, windowMs: number): boolean {
  return parked.plannedMs >= lastInWindowMs(parked, windowMs) - 1;
}

/** When an entry is tried for the last time if its window ends before the schedule has another time. */
function lastTryMs(parked: ParkedEntry, { clockMs }: Clocks, windowMs: number): number {
  return Math.max(clockMs + LAST_TRY_MS, lastInWindowMs(parked, windowMs));
}

/** When an entry that failed is tried again, on the consumer's clock; null when its window is over. */
function plan(
  { entry, failingMs, parkedMs }: ParkedEntry,
  { retryAfter }: Failed,
  { utcMs, clockMs }: Clocks,
  windowMs: number,
): number | null {
  const delay = nextDelayMs({
    failingMs: clockMs - (failingMs ?? clockMs),
    sinceAskedMs: null,
    remainingMs: windowMs - (clockMs - parkedMs),
    windowMs,
    retryAfterMs: parseRetryAfter(retryAfter, utcMs),
    stretch: stretchOf(entry.messageId),
  });
  return delay === null ? null : clockMs + delay;
}

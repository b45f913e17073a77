import type { LoadedBody, ParkedOps, ParkedRow } from '../progress/parkedRows.ts';
import type { Failed } from '../rules/outcome.ts';
import { nextDelayMs, parseRetryAfter } from '../rules/retry.ts';
import type { Entry } from '../streams/entry.ts';
import { createParkedBodies, type ParkedBodies } from './parkedBodies.ts';
import {
  isHandedOut,
  isOver,
  newParked,
  toFailure,
  toParked,
  type Clocks,
  type ParkedEntry,
} from './parkedEntry.ts';
import { createParkedLanes } from './parkedLanes.ts';
import { createParkedWrites } from './parkedWrites.ts';

/** When so many entries have been parked since the last resume, single messages cannot be the reason. */
const MAX_PARKED = 10_000;

/**
 * The parked entries of a running sender, and the changes of them that are still to be written.
 * Entries of one record go out one after another, in order.
 */
export interface ParkedEntries {
  /** Whether a new entry of this record has to wait behind parked ones. */
  has(record: string): boolean;
  /** Takes an entry; without a failure it waits behind an earlier one of its record, untried. */
  park(entry: Entry, record: string, attempts: number, failed: Failed | null): void;
  /** Hands out the lowest entry that no earlier one of its record precedes, due or not. */
  first(): ParkedEntry | null;
  /**
   * Hands out the entries that are due, as many as may be on their way at the same time. Each comes
   * back by `delivered`, `failed` or `postpone`, unless it is dropped meanwhile.
   */
  due(): ParkedEntry[];
  /** Gives an entry that was handed out its body; false when it is not to be sent any more. */
  load(parked: ParkedEntry, loaded: LoadedBody | undefined): boolean;
  /** The attempt of an entry starts; false when it is not to be sent any more. */
  starts(parked: ParkedEntry): boolean;
  /**
   * The attempt of an entry ended without an outcome of its own: it is to be sent again without being
   * handed out anew. False when it is not to be sent any more.
   */
  lands(parked: ParkedEntry): boolean;
  /** The entry was delivered. */
  delivered(parked: ParkedEntry): void;
  /** The entry failed. Returns when it is tried again, unix ms; null when it is not. */
  failed(parked: ParkedEntry, outcome: Failed, mayDie: boolean): number | null;
  /** The entry was not tried, as its body could not be read: it is due again in `ms`. */
  postpone(parked: ParkedEntry, ms: number): void;
  /** Drops the entries that do not pass any more; one in flight is dropped when its attempt ends. */
  keepOnly(passes: (entry: Entry) => boolean): void;
  /**
   * Takes over rows that were added from outside or are to be tried now. False when some of them may
   * be older than the end of their entry, which is still to be written: they have to be read again.
   */
  merge(rows: ParkedRow[]): boolean;
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
  /** Whether too many entries are parked for single messages to be the reason. */
  readonly overflown: boolean;
}

/** What the parked entries of a sender begin with. */
export interface ParkedEntriesOptions {
  /** How long an entry is tried before it dies. */
  windowMs: number;
  /** The consumer's own clock, ms. */
  clock: () => number;
  /** Unix ms, as Temporal counts. */
  nowMs: () => number;
  rows: ParkedRow[];
  /** How many entries have been parked since the last resume. */
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
  let { total } = options;
  let wanted: (entry: Entry) => boolean = () => true;
  const readClocks = (): Clocks => ({ nowMs: nowMs(), clockMs: clock() });
  merge(options.rows);

  function park(entry: Entry, record: string, attempts: number, failed: Failed | null): void {
    const now = readClocks();
    const parked = newParked({ entry, record, attempts, failed }, now);
    if (failed !== null) parked.due = plan(parked, failed, now, windowMs) ?? now.clockMs;
    lanes.insert(parked);
    bodies.keep(parked);
    total += 1;
    writes.note(parked);
    lanes.hurry(record);
  }

  function merge(rows: ParkedRow[]): boolean {
    let all = true;
    for (const row of rows) {
      const isLeaving = writes.isLeaving(row.position);
      all &&= !isLeaving;
      if (isLeaving) continue;
      const read = toParked(row);
      const known = lanes.find(read.record, row.position);
      if (known === null) lanes.insert(read);
      else if (row.due_ms === -1 && !isHandedOut(known) && !writes.isNoted(known))
        lanes.schedule(known, 0);
    }
    return all;
  }

  function load(parked: ParkedEntry, loaded: LoadedBody | undefined): boolean {
    if (isOver(parked)) return false;
    if (loaded === undefined || loaded.superseded) {
      leave(parked, 'done');
      return false;
    }
    bodies.load(parked, loaded.body);
    return true;
  }

  function starts(parked: ParkedEntry): boolean {
    if (!isHandedOut(parked)) return false;
    parked.state = 'inFlight';
    return true;
  }

  function lands(parked: ParkedEntry): boolean {
    if (!isHandedOut(parked)) return false;
    parked.state = 'outgoing';
    if (!wanted(parked.entry)) leave(parked, 'done'); // the filter was changed meanwhile
    return !isOver(parked);
  }

  function failed(parked: ParkedEntry, outcome: Failed, mayDie: boolean): number | null {
    if (isOver(parked)) return null;
    lanes.giveBack(parked);
    if (!wanted(parked.entry)) {
      leave(parked, 'done'); // the filter was changed meanwhile
      return null;
    }
    const now = readClocks();
    parked.attempts += 1;
    parked.tries += 1;
    parked.failure = toFailure(outcome, now.nowMs);
    const at = plan(parked, outcome, now, windowMs);
    if (at === null && mayDie) {
      leave(parked, 'dead');
      return null;
    }
    lanes.schedule(parked, at ?? now.clockMs);
    writes.note(parked);
    lanes.hurry(parked.record);
    return now.nowMs + Math.max(0, parked.due - now.clockMs);
  }

  function postpone(parked: ParkedEntry, ms: number): void {
    if (isOver(parked)) return;
    lanes.giveBack(parked);
    lanes.schedule(parked, clock() + ms);
  }

  function keepOnly(passes: (entry: Entry) => boolean): void {
    wanted = passes;
    // An entry in flight keeps its record's turn until its attempt has ended.
    const unwanted = lanes.select(({ state, entry }) => state !== 'inFlight' && !passes(entry));
    for (const parked of unwanted) leave(parked, 'done');
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
    due: () => lanes.due(clock()),
    load,
    starts,
    lands,
    delivered: (parked) => leave(parked, 'done'),
    failed,
    postpone,
    keepOnly,
    merge,
    toStore: writes.toStore,
    committed: writes.committed,
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

/** When an entry that failed is tried again, on the consumer's clock; null when its window is over. */
function plan(
  { tries, parkedMs }: ParkedEntry,
  { retryAfter }: Failed,
  { nowMs, clockMs }: Clocks,
  windowMs: number,
): number | null {
  const delay = nextDelayMs({
    attempt: Math.max(1, tries),
    remainingMs: windowMs - (clockMs - parkedMs),
    windowMs,
    retryAfterMs: parseRetryAfter(retryAfter, nowMs),
    random: Math.random(),
  });
  return delay === null ? null : clockMs + delay;
}

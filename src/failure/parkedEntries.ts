import { newId } from '../db/ids.ts';
import type { LoadedBody, ParkedOps, ParkedRow } from '../progress/parkedRows.ts';
import type { Failed } from '../rules/outcome.ts';
import { nextDelayMs, parseRetryAfter } from '../rules/retry.ts';
import type { Entry } from '../streams/entry.ts';
import { toFailure, toParked, toRow, WAITS, type ParkedEntry } from './parkedEntry.ts';

/** Retries of parked entries that wait for a body or are in flight, at most. */
const AT_ONCE = 200;
/** Parked since the last resume: more than that is no matter of single messages. */
const MAX_PARKED = 10_000;
/** What is parked has just been tried a few times in a row. */
const TRIES_BEFORE = 2;

/**
 * The parked entries of a running sender, and the only memory of what is to be written of them.
 * Entries of one record go out one after another, in order.
 */
export interface ParkedEntries {
  /** Whether a new entry of this record has to wait behind parked ones. */
  has(record: string): boolean;
  /** Takes an entry; without a failure it waits behind an earlier one of its record, untried. */
  park(entry: Entry, record: string, attempts: number, failed: Failed | null): void;
  /** The lowest that no other one is before, due or not; it comes back as those of `due` do. */
  first(): ParkedEntry | null;
  /** Those due now, as many as may be tried at once; each comes back by one of the next three. */
  due(): ParkedEntry[];
  delivered(parked: ParkedEntry): void;
  /** Returns when it is tried again, unix ms; null when it has died. */
  failed(parked: ParkedEntry, outcome: Failed, mayDie: boolean): number | null;
  /** It was not tried: its body could not be read, or the fault was ours. */
  postpone(parked: ParkedEntry, ms: number): void;
  /** Drops what does not pass any more. */
  keepOnly(passes: (entry: Entry) => boolean): void;
  /**
   * Rows that came from outside, or are to be tried now. False when it could not take all: of some
   * it has still to write that they are gone, so whether they have come back is not known yet.
   */
  merge(rows: ParkedRow[]): boolean;
  /** It is sent now; false when it is not to be sent any more. */
  starts(parked: ParkedEntry): boolean;
  /** Its attempt has ended without an outcome of its own; false when it is not to be sent again. */
  lands(parked: ParkedEntry): boolean;
  /** Gives one that is due its body; false when it is not to be sent any more. */
  load(parked: ParkedEntry, loaded: LoadedBody | undefined): boolean;
  /** What is to be written; the same again until `committed`. */
  toStore(): ParkedOps | null;
  committed(): void;
  /** When the next one is due, on the consumer's clock; Infinity: none. */
  readonly nextDue: number;
  readonly size: number;
  /** Something is still to be written. */
  readonly unwritten: boolean;
  /** Too many for single messages to be the reason. */
  readonly overflown: boolean;
}

export interface ParkedEntriesOptions {
  windowMs: number;
  /** The consumer's own clock, ms. */
  clock: () => number;
  /** Unix ms, as Temporal counts. */
  nowMs: () => number;
  rows: ParkedRow[];
  /** Parked since the last resume. */
  total: number;
}

export function createParkedEntries(options: ParkedEntriesOptions): ParkedEntries {
  const { clock, nowMs, windowMs } = options;
  const lanes = new Map<string, ParkedEntry[]>(); // each ascending by position
  const dirty = new Set<ParkedEntry>();
  const leaving = new Map<number, ParkedEntry>(); // gone, but not written yet
  let taken: ParkedEntry[] = [];
  let size = 0;
  let busy = 0;
  let nextDue = Infinity;
  let { total } = options;
  let wanted: (entry: Entry) => boolean = () => true;
  merge(options.rows);

  function park(entry: Entry, record: string, attempts: number, failed: Failed | null): void {
    const parked: ParkedEntry = {
      entry: { ...entry }, // the tail's own is shared
      record,
      attempts,
      parkedAt: new Date(nowMs()),
      parkedMs: clock(),
      due: WAITS,
      failure: failed === null ? null : toFailure(failed, nowMs()),
      state: 'parked',
      stored: false,
      busy: false,
      flying: false,
      tries: failed === null ? 0 : TRIES_BEFORE,
    };
    if (failed !== null) plan(parked, failed, false);
    insert(parked);
    total += 1;
    dirty.add(parked);
    hurry(parked.record);
  }

  function insert(parked: ParkedEntry): void {
    const lane = lanes.get(parked.record) ?? [];
    lanes.set(parked.record, lane);
    let index = lane.length;
    while (index > 0 && (lane[index - 1]?.entry.position ?? 0) > parked.entry.position) index -= 1;
    lane.splice(index, 0, parked);
    size += 1;
    if (parked.due < nextDue) nextDue = parked.due;
  }

  /** A newer version on the records stream makes the parked ones before it void: no need to wait. */
  function hurry(record: string): void {
    const lane = lanes.get(record);
    const head = lane?.[0];
    if (head === undefined || lane === undefined || lane.length < 2) return;
    if (head.entry.event === null && !head.busy) setDue(head, 0);
  }

  function merge(rows: ParkedRow[]): boolean {
    let all = true;
    for (const row of rows) {
      if (leaving.has(row.position)) {
        all = false;
        continue;
      }
      const read = toParked(row);
      const known = find(read);
      if (known === null) {
        insert(read);
        const head = lanes.get(read.record)?.[0];
        if (head?.due === WAITS) setDue(head, 0);
      } else if (row.due_ms === -1 && !known.busy && !dirty.has(known)) {
        setDue(known, 0);
      }
    }
    return all;
  }

  function find({ record, entry }: ParkedEntry): ParkedEntry | null {
    const lane = lanes.get(record);
    return lane?.find((one) => one.entry.position === entry.position) ?? null;
  }

  function due(): ParkedEntry[] {
    const now = clock();
    if (nextDue > now || busy >= AT_ONCE) return [];
    const found: ParkedEntry[] = [];
    nextDue = Infinity;
    for (const lane of lanes.values()) {
      const head = lane[0];
      if (head === undefined || head.busy) continue;
      if (head.due > now || !head.stored || busy >= AT_ONCE) {
        nextDue = Math.min(nextDue, head.due);
        continue;
      }
      head.busy = true;
      busy += 1;
      found.push(head);
    }
    return found;
  }

  function first(): ParkedEntry | null {
    let found: ParkedEntry | null = null;
    for (const [head] of lanes.values()) {
      if (head === undefined || head.busy) continue;
      if (found === null || head.entry.position < found.entry.position) found = head;
    }
    if (found !== null) {
      found.busy = true;
      busy += 1;
    }
    return found;
  }

  function free(parked: ParkedEntry): void {
    parked.flying = false;
    if (!parked.busy) return;
    parked.busy = false;
    busy -= 1;
  }

  function starts(parked: ParkedEntry): boolean {
    if (parked.state !== 'parked') return false;
    parked.flying = true;
    return true;
  }

  /** An edit of the filter may have removed it meanwhile. */
  function lands(parked: ParkedEntry): boolean {
    parked.flying = false;
    if (!wanted(parked.entry)) leave(parked, 'dropped');
    return parked.state === 'parked';
  }

  function setDue(parked: ParkedEntry, at: number): void {
    parked.due = at;
    if (at < nextDue) nextDue = at;
  }

  /** Plans the next attempt after a failed one; false when there is none any more. */
  function plan(parked: ParkedEntry, failed: Failed, mayDie: boolean): boolean {
    const now = clock();
    const delay = nextDelayMs({
      attempt: Math.max(1, parked.tries),
      remainingMs: windowMs - (now - parked.parkedMs),
      windowMs,
      retryAfterMs: parseRetryAfter(failed.retryAfter, nowMs()),
      random: Math.random(),
    });
    if (delay === null && mayDie) return false;
    setDue(parked, now + (delay ?? 0));
    return true;
  }

  function failed(parked: ParkedEntry, outcome: Failed, mayDie: boolean): number | null {
    free(parked);
    if (parked.state !== 'parked') return null;
    if (!wanted(parked.entry)) {
      leave(parked, 'dropped');
      return null;
    }
    parked.attempts += 1;
    parked.tries += 1;
    parked.failure = toFailure(outcome, nowMs());
    dirty.add(parked);
    if (!plan(parked, outcome, mayDie)) {
      leave(parked, 'dead');
      return null;
    }
    hurry(parked.record);
    return nowMs() + Math.max(0, parked.due - clock());
  }

  function postpone(parked: ParkedEntry, ms: number): void {
    free(parked);
    setDue(parked, clock() + ms);
  }

  /** Takes it out of its lane; the one behind it is next. */
  function leave(parked: ParkedEntry, state: 'dropped' | 'dead'): void {
    if (parked.state !== 'parked') return;
    free(parked);
    parked.state = state;
    dirty.add(parked);
    leaving.set(parked.entry.position, parked);
    size -= 1;
    const lane = lanes.get(parked.record) ?? [];
    lane.splice(lane.indexOf(parked), 1);
    const next = lane[0];
    if (next === undefined) {
      lanes.delete(parked.record);
      return;
    }
    if (next.due === WAITS || next.failure === null) {
      setDue(next, 0);
      dirty.add(next);
    } else {
      setDue(next, next.due); // nobody looked at it while it was behind another
    }
  }

  function keepOnly(passes: (entry: Entry) => boolean): void {
    wanted = passes;
    const unwanted: ParkedEntry[] = [];
    // One in flight is looked at when it lands: until then it is its record's turn.
    for (const lane of lanes.values())
      for (const parked of lane) if (!parked.flying && !passes(parked.entry)) unwanted.push(parked);
    for (const parked of unwanted) leave(parked, 'dropped');
  }

  function load(parked: ParkedEntry, loaded: LoadedBody | undefined): boolean {
    if (parked.state !== 'parked') return false;
    if (loaded === undefined || loaded.superseded) {
      leave(parked, 'dropped');
      return false;
    }
    parked.entry.body = loaded.body;
    return true;
  }

  function toStore(): ParkedOps | null {
    if (dirty.size === 0) return null;
    taken = [...dirty];
    const ops: ParkedOps = { inserts: [], updates: [], deletes: [], added: 0 };
    for (const parked of taken) {
      // What was never stored is stored first; its end follows with the next commit.
      if (!parked.stored && parked.state !== 'dropped') ops.inserts.push(toRow(parked));
      else if (parked.stored && parked.state === 'parked') ops.updates.push(toRow(parked));
      else if (parked.stored) ops.deletes.push(toEnd(parked));
    }
    ops.added = ops.inserts.length;
    for (const parked of taken) if (parked.stored || parked.state !== 'dead') dirty.delete(parked);
    return ops;
  }

  function toEnd(parked: ParkedEntry): ParkedOps['deletes'][number] {
    const dead = parked.state === 'dead';
    return {
      position: parked.entry.position,
      id: newId(),
      attempts: parked.attempts,
      died_at: dead ? new Date(nowMs()).toISOString() : null,
      last_failure: dead ? parked.failure : null,
    };
  }

  function committed(): void {
    for (const parked of taken) {
      if (!parked.stored) parked.entry.body = ''; // read again when it is due
      parked.stored = true;
      if (!dirty.has(parked) && leaving.get(parked.entry.position) === parked)
        leaving.delete(parked.entry.position);
    }
    taken = [];
  }

  return {
    has: (record) => lanes.has(record),
    park,
    first,
    due,
    delivered: (parked) => leave(parked, 'dropped'),
    failed,
    postpone,
    keepOnly,
    merge,
    starts,
    lands,
    load,
    toStore,
    committed,
    get nextDue() {
      return busy > 0 ? Math.min(nextDue, clock()) : nextDue; // what is being tried is due
    },
    get size() {
      return size;
    },
    get unwritten() {
      return dirty.size > 0;
    },
    get overflown() {
      return total >= MAX_PARKED;
    },
  };
}

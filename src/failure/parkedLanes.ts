import { createHeldLanes, headOf, type HeldLanes, type Lane } from './heldLanes.ts';
import type { ParkedBodies } from './parkedBodies.ts';
import { isHandedOut, WAITS, type ParkedEntry } from './parkedEntry.ts';

/** How many entries handed out by `due` may be on their way at the same time. */
const MAX_HANDED_OUT = 200;
/**
 * The parked entries of a sender by record, those of each record in order of position. Only the first
 * of a record, its head, is handed out, and it keeps its record's turn until it is given back or
 * removed, so that the entries of one record go out one after another. Of entries that only wait behind
 * a head, a few are held in memory; when these have gone out, the next ones have to be loaded. Times are
 * ms of the consumer's own clock.
 */
export interface ParkedLanes extends Pick<
  HeldLanes,
  'has' | 'follows' | 'shed' | 'toLoad' | 'size'
> {
  /** The entry at this position of a record, or null when it is not held in memory. */
  find(record: string, position: number): ParkedEntry | null;
  /** All entries in memory that fulfil a condition. */
  select(fulfils: (parked: ParkedEntry) => boolean): ParkedEntry[];
  /** Adds an entry in its place; one that waits for an earlier entry is due if there is none. */
  insert(parked: ParkedEntry): void;
  /** Hands out the heads that are due while fewer than `atMost`, and never more than 200, are on their way. */
  due(now: number, atMost?: number): ParkedEntry[];
  /** Hands out the lowest head, due or not; null when no head waits. */
  first(): ParkedEntry | null;
  /** Takes back an entry that was handed out: it waits again. */
  giveBack(parked: ParkedEntry): void;
  /** Sets when an entry is due. */
  schedule(parked: ParkedEntry, at: number): void;
  /**
   * Makes the first entry of a record due if it waits to be tried again although a newer version of the record
   * follows.
   */
  hurry(record: string): void;
  /**
   * Ends an entry and gives its record's turn to the next entry, the new head. Returns the new head if
   * this has made it due, because its row changes as well; otherwise null.
   */
  remove(parked: ParkedEntry, end: 'done' | 'dead'): ParkedEntry | null;
  /**
   * Takes over the lowest entries of a record from Postgres; `more`: there may be others. Returns the
   * new head if this has made it due; otherwise null.
   */
  loaded(record: string, entries: ParkedEntry[], more: boolean): ParkedEntry | null;
  /**
   * When to call `due` again, which is never later than the time at which a waiting head is due. It is
   * `now` at the latest while an entry is handed out or has to be loaded, and Infinity when nothing will
   * be due.
   */
  nextDue(now: number): number;
}

/** Creates empty lanes. Entries that are given back drop their bodies. */
export function createParkedLanes(bodies: Pick<ParkedBodies, 'letGo'>): ParkedLanes {
  const lanes = createHeldLanes();
  let handedOut = 0;
  let earliest = Infinity; // when the first waiting head is due, or earlier: exact only after a pass of `due`

  function find(record: string, position: number): ParkedEntry | null {
    const entries = lanes.get(record)?.entries ?? [];
    return entries.find(({ entry }) => entry.position === position) ?? null;
  }

  function select(fulfils: (parked: ParkedEntry) => boolean): ParkedEntry[] {
    const found: ParkedEntry[] = [];
    for (const { entries } of lanes.all())
      for (const parked of entries) if (fulfils(parked)) found.push(parked);
    return found;
  }

  function insert(parked: ParkedEntry): void {
    const head = headOf(lanes.place(parked));
    schedule(parked, parked.due);
    if (head?.due === WAITS) schedule(head, 0);
  }

  function due(now: number, atMost = MAX_HANDED_OUT): ParkedEntry[] {
    const most = Math.min(atMost, MAX_HANDED_OUT);
    if (earliest > now || handedOut >= most) return [];
    const found: ParkedEntry[] = [];
    earliest = Infinity;
    for (const lane of lanes.all()) {
      const head = headOf(lane);
      if (head === undefined || isHandedOut(head)) continue;
      // The body of an entry is read from its row, so one that has none yet has to wait for it.
      if (head.due <= now && head.stored && handedOut < most) found.push(handOut(head));
      else earliest = Math.min(earliest, head.due);
    }
    return found;
  }

  function first(): ParkedEntry | null {
    let found: ParkedEntry | null = null;
    for (const lane of lanes.all()) {
      const head = headOf(lane);
      if (head === undefined || isHandedOut(head)) continue;
      if (found === null || head.entry.position < found.entry.position) found = head;
    }
    return found === null ? null : handOut(found);
  }

  function handOut(parked: ParkedEntry): ParkedEntry {
    parked.state = 'outgoing';
    handedOut += 1;
    return parked;
  }

  function giveBack(parked: ParkedEntry): void {
    if (!isHandedOut(parked)) return;
    parked.state = 'waiting';
    handedOut -= 1;
    bodies.letGo(parked); // read again before its next attempt
  }

  function schedule(parked: ParkedEntry, at: number): void {
    parked.due = at;
    if (at < earliest) earliest = at;
  }

  function hurry(record: string): void {
    const lane = lanes.get(record);
    if (lane === undefined || (lane.entries.length < 2 && !lane.more)) return;
    const head = headOf(lane);
    if (head === undefined || isHandedOut(head)) return;
    if (head.entry.event === null) schedule(head, 0); // a version of a record: the newer one supersedes it
  }

  function remove(parked: ParkedEntry, end: 'done' | 'dead'): ParkedEntry | null {
    giveBack(parked);
    parked.state = end;
    return passTurn(lanes.remove(parked));
  }

  /** Makes the head of a lane due if it is untried, and returns it then. */
  function passTurn(lane: Lane): ParkedEntry | null {
    if (lanes.size === 0) earliest = Infinity; // no pass of `due` follows, which would find it
    const head = headOf(lane);
    if (head === undefined) return null;
    const untried = head.due === WAITS || head.failure === null;
    schedule(head, untried ? 0 : head.due); // its own time counts only from now on
    return untried ? head : null;
  }

  return {
    has: lanes.has,
    find,
    select,
    insert,
    due,
    first,
    giveBack,
    schedule,
    hurry,
    remove,
    follows: lanes.follows,
    shed: lanes.shed,
    toLoad: lanes.toLoad,
    loaded: (record, entries, more) => {
      const lane = lanes.loaded(record, entries, more);
      return lane === null ? null : passTurn(lane);
    },
    nextDue: (now) => (handedOut + lanes.toLoad.size > 0 ? Math.min(earliest, now) : earliest),
    get size() {
      return lanes.size;
    },
  };
}

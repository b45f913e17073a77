import type { ParkedBodies } from './parkedBodies.ts';
import { isHandedOut, WAITS, type ParkedEntry } from './parkedEntry.ts';

/** How many entries handed out by `due` may be on their way at the same time. */
const MAX_HANDED_OUT = 200;

/**
 * The parked entries of a sender by record, those of each record in order of position. Only the first
 * of a record, its head, is handed out, and it keeps its record's turn until it is given back or
 * removed, so that the entries of one record go out one after another. Times are ms of the consumer's
 * own clock.
 */
export interface ParkedLanes {
  /** Whether any entry of this record is parked. */
  has(record: string): boolean;
  /** The entry at this position of a record, or null when it is not parked. */
  find(record: string, position: number): ParkedEntry | null;
  /** All entries that fulfil a condition. */
  select(fulfils: (parked: ParkedEntry) => boolean): ParkedEntry[];
  /** Adds an entry in its place; one that waits for an earlier entry is due if there is none. */
  insert(parked: ParkedEntry): void;
  /** Hands out the heads that are due, as many as may be on their way at the same time. */
  due(now: number): ParkedEntry[];
  /** Hands out the lowest head, due or not; null when no head waits. */
  first(): ParkedEntry | null;
  /** Takes back an entry that was handed out: it waits again. */
  giveBack(parked: ParkedEntry): void;
  /** Sets when an entry is due. */
  schedule(parked: ParkedEntry, at: number): void;
  /** Makes a head due if it waits to be tried again although a newer version of its record follows. */
  hurry(record: string): void;
  /**
   * Ends an entry and gives its record's turn to the next entry, the new head. Returns the new head if
   * this has made it due, because its row changes as well; otherwise null.
   */
  remove(parked: ParkedEntry, end: 'done' | 'dead'): ParkedEntry | null;
  /**
   * When to call `due` again, which is never later than the time at which a waiting head is due. It is
   * `now` at the latest while an entry is handed out, and Infinity when nothing will be due.
   */
  nextDue(now: number): number;
  readonly size: number;
}

/** Creates empty lanes. Entries that are given back let go of their bodies. */
export function createParkedLanes(bodies: Pick<ParkedBodies, 'letGo'>): ParkedLanes {
  const lanes = new Map<string, ParkedEntry[]>(); // each ascending by position, none empty
  let size = 0;
  let handedOut = 0;
  let earliest = Infinity; // when the first waiting head is due, or earlier: exact only after a pass of `due`

  function find(record: string, position: number): ParkedEntry | null {
    return lanes.get(record)?.find(({ entry }) => entry.position === position) ?? null;
  }

  function select(fulfils: (parked: ParkedEntry) => boolean): ParkedEntry[] {
    const found: ParkedEntry[] = [];
    for (const lane of lanes.values())
      for (const parked of lane) if (fulfils(parked)) found.push(parked);
    return found;
  }

  function insert(parked: ParkedEntry): void {
    const lane = lanes.get(parked.record) ?? [];
    lanes.set(parked.record, lane);
    let index = lane.length;
    while (index > 0 && (lane[index - 1]?.entry.position ?? 0) > parked.entry.position) index -= 1;
    lane.splice(index, 0, parked);
    size += 1;
    schedule(parked, parked.due);
    const [head] = lane;
    if (head?.due === WAITS) schedule(head, 0);
  }

  function due(now: number): ParkedEntry[] {
    if (earliest > now || handedOut >= MAX_HANDED_OUT) return [];
    const found: ParkedEntry[] = [];
    earliest = Infinity;
    for (const [head] of lanes.values()) {
      if (head === undefined || isHandedOut(head)) continue;
      // The body of an entry is read from its row, so one that has none yet has to wait for it.
      if (head.due <= now && head.stored && handedOut < MAX_HANDED_OUT) found.push(handOut(head));
      else earliest = Math.min(earliest, head.due);
    }
    return found;
  }

  function first(): ParkedEntry | null {
    let found: ParkedEntry | null = null;
    for (const [head] of lanes.values()) {
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
    bodies.letGo(parked); // read anew before its next attempt
  }

  function schedule(parked: ParkedEntry, at: number): void {
    parked.due = at;
    if (at < earliest) earliest = at;
  }

  function hurry(record: string): void {
    const [head, next] = lanes.get(record) ?? [];
    if (head === undefined || next === undefined || isHandedOut(head)) return;
    if (head.entry.event === null) schedule(head, 0); // a version of a record: the newer one supersedes it
  }

  function remove(parked: ParkedEntry, end: 'done' | 'dead'): ParkedEntry | null {
    giveBack(parked);
    parked.state = end;
    size -= 1;
    const lane = lanes.get(parked.record) ?? [];
    lane.splice(lane.indexOf(parked), 1);
    const [head] = lane;
    if (head === undefined) {
      lanes.delete(parked.record);
      if (size === 0) earliest = Infinity; // no pass of `due` follows, which would find that out
      return null;
    }
    const untried = head.due === WAITS || head.failure === null;
    schedule(head, untried ? 0 : head.due); // its own time counts only from now on
    return untried ? head : null;
  }

  return {
    has: (record) => lanes.has(record),
    find,
    select,
    insert,
    due,
    first,
    giveBack,
    schedule,
    hurry,
    remove,
    nextDue: (now) => (handedOut > 0 ? Math.min(earliest, now) : earliest),
    get size() {
      return size;
    },
  };
}

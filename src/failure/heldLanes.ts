import { WAITS, type ParkedEntry } from './parkedEntry.ts';

/** How many entries of a record are held in memory; those that wait behind them are only in Postgres. */
export const HELD_OF_RECORD = 16;

/** The parked entries of one record, ascending by position. */
export interface Lane {
  /**
   * The entries in memory. Some that are not stored yet may follow at the end; those that only Postgres has
   * come before these.
   */
  entries: ParkedEntry[];
  /** Whether Postgres may have more of them. */
  more: boolean;
}

/**
 * The parked entries of a sender by record, as far as they are held in memory. Of the entries of a record that
 * only wait behind another, a few are held; the next ones have to be loaded when these have gone out.
 */
export interface HeldLanes {
  /** Whether any entry of this record is parked. */
  has(record: string): boolean;
  get(record: string): Lane | undefined;
  all(): Iterable<Lane>;
  /** Adds an entry in its place and returns its lane. */
  place(parked: ParkedEntry): Lane;
  /** Removes an entry and returns its lane; one that has become empty is gone. */
  remove(parked: ParkedEntry): Lane;
  /** Notes that Postgres has entries of this record that are not in memory. */
  follows(record: string): void;
  /** Forgets entries of these records that are stored and only wait, if there are many of their record. */
  shed(records: Iterable<string>): void;
  /** The records whose next entries have to be loaded before any of theirs goes out. */
  readonly toLoad: ReadonlySet<string>;
  /**
   * Takes over the lowest entries of a record from Postgres; `more`: there may be others. Returns their
   * lane; null when nothing was to be loaded of this record.
   */
  loaded(record: string, entries: ParkedEntry[], more: boolean): Lane | null;
  /** How many entries are in memory, and 1 at least while Postgres may have any. */
  readonly size: number;
}

/** Creates lanes without an entry. */
export function createHeldLanes(): HeldLanes {
  const lanes = new Map<string, Lane>(); // none is empty both in memory and in Postgres
  const toLoad = new Set<string>();
  let size = 0;

  function laneOf(record: string): Lane {
    const known = lanes.get(record);
    if (known !== undefined) return known;
    const lane = { entries: [], more: false };
    lanes.set(record, lane);
    return lane;
  }

  function place(parked: ParkedEntry): Lane {
    const lane = laneOf(parked.record);
    const { entries } = lane;
    let index = entries.length;
    while (index > 0 && (entries[index - 1]?.entry.position ?? 0) > parked.entry.position)
      index -= 1;
    entries.splice(index, 0, parked);
    size += 1;
    return lane;
  }

  function remove(parked: ParkedEntry): Lane {
    const { record } = parked;
    const lane = laneOf(record);
    lane.entries.splice(lane.entries.indexOf(parked), 1);
    size -= 1;
    if (lane.more && headOf(lane) === undefined) toLoad.add(record);
    forgetIfEmpty(record, lane);
    return lane;
  }

  function forgetIfEmpty(record: string, { entries, more }: Lane): void {
    if (entries.length === 0 && !more) lanes.delete(record);
  }

  function shed(records: Iterable<string>): void {
    for (const record of records) {
      const lane = lanes.get(record);
      if (lane === undefined || (lane.entries.length <= HELD_OF_RECORD && !lane.more)) continue;
      const kept: ParkedEntry[] = [];
      for (const parked of lane.entries) {
        if (!onlyWaits(parked) || (!lane.more && kept.length < HELD_OF_RECORD)) kept.push(parked);
        else lane.more = true;
      }
      size -= lane.entries.length - kept.length;
      lane.entries = kept;
    }
  }

  function loaded(record: string, entries: ParkedEntry[], more: boolean): Lane | null {
    const lane = lanes.get(record);
    if (lane === undefined || !toLoad.delete(record)) return null;
    lane.more = more;
    const known = new Set(lane.entries.map(({ entry }) => entry.position));
    for (const parked of entries) if (!known.has(parked.entry.position)) place(parked);
    forgetIfEmpty(record, lane);
    return lane;
  }

  return {
    has: (record) => lanes.has(record),
    get: (record) => lanes.get(record),
    all: () => lanes.values(),
    place,
    remove,
    follows: (record) => {
      laneOf(record).more = true;
    },
    shed,
    toLoad,
    loaded,
    get size() {
      return size === 0 ? lanes.size : size; // a lane without an entry in memory has some in Postgres
    },
  };
}

/** The first entry of a lane; undefined when it has to be loaded, or there is none. */
export function headOf({ entries, more }: Lane): ParkedEntry | undefined {
  const [head] = entries;
  return more && head?.stored === false ? undefined : head;
}

/** Whether an entry is stored and waits for an earlier one of its record, untried. */
function onlyWaits({ stored, state, due, failure }: ParkedEntry): boolean {
  return stored && state === 'waiting' && due === WAITS && failure === null;
}

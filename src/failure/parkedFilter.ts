import type { Entry } from '../streams/entry.ts';
import type { ParkedEntry } from './parkedEntry.ts';
import type { ParkedLanes } from './parkedLanes.ts';

/** Decides which parked entries of a sender are still to be sent, as its filter says. */
export interface ParkedFilter {
  /** Whether an entry still passes. With its body it is asked about once; until that is known, its lists decide. */
  wants(entry: Entry): boolean;
  /**
   * Drops the entries that do not pass any more; one in flight is dropped when its attempt ends. An entry whose body is
   * not in memory is asked about again once it is.
   */
  keepOnly(passes: (entry: Entry) => boolean): void;
  /** Drops what does not pass among entries that have come since without their bodies. */
  apply(): void;
  /** The waiting entries about which `keepOnly` could not ask with their bodies. */
  unasked(): ParkedEntry[];
  /** The entries whose bodies are in memory, about which `keepOnly` would ask with them. */
  withBodies(): Entry[];
  /** Drops an entry, if it still waits, unless it passes with this body. */
  ask(parked: ParkedEntry, body: string): void;
}

/** Creates it so that it lets everything pass; `leave` drops an entry. */
export function createParkedFilter(
  lanes: Pick<ParkedLanes, 'select'>,
  leave: (parked: ParkedEntry) => void,
): ParkedFilter {
  let passes: (entry: Entry) => boolean = () => true;
  // A condition may take milliseconds, and what can't be evaluated is counted.
  let known = new WeakMap<Entry, boolean>();

  function wants(entry: Entry, body = entry.body): boolean {
    const found = known.get(entry);
    if (found !== undefined) return found;
    if (body === '') return passes(entry);
    const isWanted = passes(body === entry.body ? entry : { ...entry, body });
    known.set(entry, isWanted);
    return isWanted;
  }

  function keepOnly(next: (entry: Entry) => boolean): void {
    passes = next;
    known = new WeakMap();
    // An entry in flight keeps its record's turn until its attempt has ended.
    drop(({ state, entry }) => state !== 'inFlight' && !wants(entry));
  }

  function drop(isUnwanted: (parked: ParkedEntry) => boolean): void {
    for (const parked of lanes.select(isUnwanted)) leave(parked);
  }

  return {
    wants: (entry) => wants(entry),
    keepOnly,
    apply: () => drop((parked) => isWithoutBody(parked) && !wants(parked.entry)),
    unasked: () => lanes.select((parked) => isWithoutBody(parked) && !known.has(parked.entry)),
    withBodies: () => lanes.select(({ entry }) => entry.body !== '').map(({ entry }) => entry),
    ask: (parked, body) => {
      if (isWithoutBody(parked) && !wants(parked.entry, body)) leave(parked);
    },
  };
}

function isWithoutBody({ state, entry }: ParkedEntry): boolean {
  return state === 'waiting' && entry.body === '';
}

import type { Entry } from '../streams/entry.ts';
import type { ParkedEntry } from './parkedEntry.ts';
import type { ParkedLanes } from './parkedLanes.ts';

/** Decides which parked entries of a sender are still to be sent, as its filter says. */
export interface ParkedFilter {
  /** Whether an entry still passes. */
  wants(entry: Entry): boolean;
  /**
   * Drops the entries that do not pass any more; one in flight is dropped when its attempt ends. An entry whose body is
   * not in memory is asked about again once it is.
   */
  keepOnly(passes: (entry: Entry) => boolean): void;
  /** Drops what does not pass among entries that have come since. */
  apply(): void;
  /** The waiting entries about which `keepOnly` could not ask with their bodies. */
  unasked(): ParkedEntry[];
  /** Drops an entry, if it still waits, unless it passes with this body. */
  ask(parked: ParkedEntry, body: string): void;
}

/** Creates it so that it lets everything pass; `leave` drops an entry. */
export function createParkedFilter(
  lanes: Pick<ParkedLanes, 'select'>,
  leave: (parked: ParkedEntry) => void,
): ParkedFilter {
  let wants: (entry: Entry) => boolean = () => true;

  function keepOnly(passes: (entry: Entry) => boolean): void {
    wants = passes;
    apply();
  }

  function apply(): void {
    // An entry in flight keeps its record's turn until its attempt has ended.
    const unwanted = lanes.select(({ state, entry }) => state !== 'inFlight' && !wants(entry));
    for (const parked of unwanted) leave(parked);
  }

  function ask(parked: ParkedEntry, body: string): void {
    if (isWithoutBody(parked) && !wants({ ...parked.entry, body })) leave(parked);
  }

  return {
    wants: (entry) => wants(entry),
    keepOnly,
    apply,
    unasked: () => lanes.select(isWithoutBody),
    ask,
  };
}

function isWithoutBody({ state, entry }: ParkedEntry): boolean {
  return state === 'waiting' && entry.body === '';
}

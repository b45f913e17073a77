import type { Lanes } from '../flow/lanes.ts';
import type { SlidingWindow } from '../flow/slidingWindow.ts';
import { recordOf } from '../rules/ordering.ts';
import type { Failed } from '../rules/outcome.ts';
import type { Ordering } from '../schema/consumer.ts';
import type { Entry } from '../streams/entry.ts';
import type { Outgoing } from './outgoing.ts';
import type { ParkedEntries } from './parkedEntries.ts';

export interface RecordParkingOptions {
  ordering: Ordering;
  slidingWindow: Pick<SlidingWindow<Entry>, 'settle'>;
  lanes: Pick<Lanes<Entry>, 'settle' | 'has'>;
  parked: ParkedEntries;
  /** By position: how many attempts at an entry have failed, before and during this drain. */
  failedAttempts: Map<number, number>;
  /** Called when there is something to store. */
  mark: () => void;
}

/** Parks an entry together with the entries of its record, so that these go out after it. */
export interface RecordParking {
  /** Parks and settles an entry and the entries that wait behind it in its lane. */
  park(slot: Outgoing, outcome: Failed): void;
  /** Whether a new entry has to wait behind parked entries of its record; if so, it has been parked. */
  parksBehind(slot: Outgoing): boolean;
}

/** Creates the parking of one drain. */
export function createRecordParking(options: RecordParkingOptions): RecordParking {
  const { ordering, slidingWindow, lanes, parked, failedAttempts, mark } = options;

  function park(slot: Outgoing, outcome: Failed): void {
    parked.park(slot.entry, recordOf(slot.entry), slot.attempt, outcome);
    slidingWindow.settle(slot);
    for (let next = lanes.settle(slot); next !== null; next = lanes.settle(next)) {
      parkUntried(next as Outgoing);
    }
    mark();
  }

  function parkUntried(slot: Outgoing): void {
    if (!slot.closed && !slot.entry.superseded) {
      parked.park(slot.entry, recordOf(slot.entry), failedAttempts.get(slot.position) ?? 0, null);
    }
    slidingWindow.settle(slot);
  }

  function parksBehind(slot: Outgoing): boolean {
    if (parked.size === 0 || ordering !== 'record' || !parked.has(slot.lane)) return false;
    // If this one were parked behind an entry that a command put back, it could overtake entries of its lane
    // that are on their way.
    if (lanes.has(slot.lane)) return false;
    parkUntried(slot);
    mark();
    return true;
  }

  return { park, parksBehind };
}

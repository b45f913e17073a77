import type { Outgoing } from '../failure/outgoing.ts';
import type { ParkedEntries } from '../failure/parkedEntries.ts';
import type { RecordParking } from '../failure/recordParking.ts';
import type { Budget } from '../flow/budget.ts';
import type { Dispatcher } from '../flow/dispatcher.ts';
import type { Lanes } from '../flow/lanes.ts';
import type { SlidingWindow } from '../flow/slidingWindow.ts';
import { laneOf } from '../rules/ordering.ts';
import type { Ordering } from '../schema/consumer.ts';
import type { Entry } from '../streams/entry.ts';
import type { Ending } from './ending.ts';

/** The next page is read when fewer entries than this wait to be sent. */
const LOW_WATER = 1_000;
/** The largest number of entries between the position and the newest that was read; it bounds `ahead`. */
export const MAX_SPAN = 5_000;

/** The parts of a drain that entries are put into. */
export interface IntakeOptions {
  ordering: Ordering;
  slidingWindow: SlidingWindow<Entry>;
  lanes: Lanes<Entry>;
  budget: Pick<Budget, 'hold' | 'roomToRead'>;
  dispatcher: Dispatcher<Outgoing>;
  recordParking: Pick<RecordParking, 'parksBehind'>;
  ending: Pick<Ending, 'reason' | 'begin'>;
  parked: Pick<ParkedEntries, 'full' | 'overflown'>;
}

/** Puts entries that were read into the sliding window and, when their lane is free, into the dispatcher. */
export interface Intake {
  /** Whether more entries should be read. */
  wantsMore(): boolean;
  /** Takes a matching entry; called in the order of reading. */
  accept(entry: Entry): void;
  /** Reports to the process's budget how many bytes the drain holds. */
  account(): void;
  /** Gives the bytes back to the budget; what is read afterwards is not counted. */
  leave(): void;
  /** When the last matching entry was read (monotonic ms). */
  readonly lastMatchAt: number;
}

/** Creates the intake of one drain. */
export function createIntake(options: IntakeOptions): Intake {
  const { ordering, slidingWindow, lanes, budget, dispatcher, ending } = options;
  let lastMatchAt = performance.now();
  let held = 0; // bytes in the budget
  let left = false;

  function wantsMore(): boolean {
    return (
      ending.reason === null &&
      slidingWindow.open - dispatcher.inFlight < LOW_WATER &&
      slidingWindow.span < MAX_SPAN &&
      !options.parked.full &&
      (budget.roomToRead || slidingWindow.open === 0)
    );
  }

  function accept(entry: Entry): void {
    lastMatchAt = performance.now();
    const slot = slidingWindow.add(entry, laneOf(ordering, entry)) as Outgoing | null;
    if (slot === null) return;
    slot.position = entry.position;
    slot.messageId = entry.messageId;
    slot.body = entry.body;
    slot.attempt = 0;
    slot.parked = null;
    if (options.recordParking.parksBehind(slot)) {
      if (options.parked.overflown) ending.begin('parked');
    } else if (lanes.add(slot)) dispatcher.push(slot);
  }

  function account(): void {
    if (left) return; // a page that comes after the end is not counted
    budget.hold(slidingWindow.bytes - held);
    held = slidingWindow.bytes;
  }

  return {
    wantsMore,
    accept,
    account,
    leave: () => {
      left = true;
      budget.hold(-held);
      held = 0;
    },
    get lastMatchAt() {
      return lastMatchAt;
    },
  };
}

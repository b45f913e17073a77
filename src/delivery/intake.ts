import type { Outgoing } from '../failure/outgoing.ts';
import type { ParkedEntries } from '../failure/parkedEntries.ts';
import type { RecordParking } from '../failure/recordParking.ts';
import { TIMES, type Shared } from '../flow/budget.ts';
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
/** A drain in which nothing has settled for so long reads as little as possible, because its endpoint may hang. */
const STILL_MS = 1_000;

/** The parts of a drain that entries are put into. */
export interface IntakeOptions {
  ordering: Ordering;
  slidingWindow: SlidingWindow<Entry>;
  lanes: Lanes<Entry>;
  memory: Pick<Shared, 'room' | 'least' | 'take' | 'wait'>;
  dispatcher: Dispatcher<Outgoing>;
  recordParking: Pick<RecordParking, 'parksBehind'>;
  ending: Pick<Ending, 'reason' | 'begin'>;
  parked: Pick<ParkedEntries, 'overflown' | 'bodies'>;
  /** Whether one more entry is to be read, although nothing settles. */
  seeks: () => boolean;
  /** Whether entries wait for others to be sent with, so that it is no wonder that nothing settles. */
  gathers: () => boolean;
  /** Called with each entry: the drain no longer rests. */
  stir: () => void;
}

/** Puts entries that were read into the sliding window and, when their lane is free, into the dispatcher. */
export interface Intake {
  /** Whether more entries should be read. */
  wantsMore(): boolean;
  /**
   * How many bytes of entries may be read now. 0: none until some have settled; if other drains hold them all,
   * `wake` is called once some are free.
   */
  room(wake?: () => void): number;
  /** Counts the bytes that a page may hold while it is being read; 0: it has been read. */
  reserve(bytes: number): void;
  /** Takes a matching entry; called in the order of reading. */
  accept(entry: Entry): void;
  /** Tells the process's budget how many bytes the drain holds. */
  account(): void;
  /** Gives the bytes back to the budget; what is read afterwards is not counted. */
  leave(): void;
  /** When the last matching entry was read (monotonic ms). */
  readonly lastMatchAt: number;
}

/** Creates the intake of one drain. */
export function createIntake(options: IntakeOptions): Intake {
  const { ordering, slidingWindow, lanes, memory, dispatcher, ending, parked } = options;
  let lastMatchAt = performance.now();
  let held = 0; // bytes in the budget
  let reserved = 0;
  let left = false;
  let settledBefore = 0;
  let movedAt = -Infinity; // when an entry was last seen to have settled

  function wantsMore(): boolean {
    return (
      ending.reason === null &&
      slidingWindow.open - dispatcher.sending < LOW_WATER &&
      slidingWindow.span < MAX_SPAN
    );
  }

  function room(wake?: () => void): number {
    account();
    const moves = performance.now() - movedAt < STILL_MS || options.gathers();
    const found = moves ? memory.room(held) : held === 0 || options.seeks() ? memory.least : 0;
    if (found === 0 && held === 0 && wake !== undefined) memory.wait(wake);
    return found / TIMES;
  }

  function accept(entry: Entry): void {
    options.stir();
    lastMatchAt = performance.now();
    const slot = slidingWindow.add(entry, laneOf(ordering, entry)) as Outgoing | null;
    if (slot === null) return;
    slot.messageId = entry.messageId;
    slot.body = '';
    slot.traceparent = entry.traceparent;
    slot.attempt = 0;
    slot.parked = null;
    slot.readAt = Math.trunc(lastMatchAt);
    slot.readyAt = slot.readAt;
    if (options.recordParking.parksBehind(slot)) {
      if (parked.overflown) ending.begin('parked');
    } else if (lanes.add(slot)) dispatcher.push(slot);
  }

  function account(): void {
    if (left) return; // a page that comes after the end is not counted
    const now = TIMES * (slidingWindow.bytes + reserved + parked.bodies.bytes);
    const more = now - held;
    held = now; // before other drains are woken
    if (more !== 0) memory.take(more);
    if (slidingWindow.settledCount === settledBefore) return;
    settledBefore = slidingWindow.settledCount;
    movedAt = performance.now();
  }

  return {
    wantsMore,
    room,
    reserve: (bytes) => {
      reserved = bytes;
      account();
    },
    accept,
    account,
    leave: () => {
      left = true;
      memory.take(-held);
      held = 0;
    },
    get lastMatchAt() {
      return lastMatchAt;
    },
  };
}

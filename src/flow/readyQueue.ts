/** Slots that were taken are dropped from the front of the array once this many have gathered. */
const COMPACT_AT = 1_024;

/** The parts of a slot that decide about its turn. */
export interface Queued {
  readonly position: number;
  sent: boolean;
  /** Not null for a parked entry, which is not in the sliding window. */
  parked: object | null;
}

/** The slots that may be sent now: entries of the sliding window in order, and parked ones that are due. */
export interface ReadyQueue<S extends Queued> {
  push(slot: S): void;
  /** Queues a slot in front of the others of its kind, to be tried again. */
  putBack(slot: S): void;
  /** Puts slots of the sliding window back, to be tried again; all of its waiting slots then go out by position. */
  putBackAll(again: readonly S[]): void;
  /** The slot of the sliding window that has its turn next; undefined: none waits. */
  readonly front: S | undefined;
  /** Takes the next slot; undefined when there is none. Parked ones get at most every other turn. */
  next(): S | undefined;
  /** Takes the slot that was pushed last; a parked one only when there is no other. */
  last(): S | undefined;
  readonly empty: boolean;
}

/** Creates an empty queue. */
export function createReadyQueue<S extends Queued>(): ReadyQueue<S> {
  let slots: S[] = [];
  let first = 0;
  const parked: S[] = [];
  let parkedsTurn = false;

  function next(): S | undefined {
    if (parked.length > 0 && (first >= slots.length || parkedsTurn)) {
      parkedsTurn = false;
      return parked.shift();
    }
    parkedsTurn = true;
    const slot = slots[first];
    if (slot === undefined) return undefined;
    first += 1;
    if (first > COMPACT_AT) {
      slots = slots.slice(first);
      first = 0;
    }
    return slot;
  }

  return {
    push: (slot) => void slots.push(slot),
    putBack: (slot) => {
      slot.sent = false;
      if (slot.parked === null) slots.splice(first, 0, slot);
      else parked.unshift(slot);
    },
    putBackAll: (again) => {
      for (const slot of again) slot.sent = false;
      slots = [...slots.slice(first), ...again].sort((a, b) => a.position - b.position);
      first = 0;
    },
    get front() {
      return slots[first];
    },
    next,
    last: () => (first < slots.length ? slots.pop() : parked.pop()),
    get empty() {
      return first >= slots.length && parked.length === 0;
    },
  };
}

/** Sent ones are dropped from the front once so many have gathered. */
const COMPACT_AT = 1_024;

/** The parts of a slot that its turn depends on. */
export interface Queued {
  sent: boolean;
  /** Not null: it does not pass through the window. */
  parked: object | null;
}

/** What may be sent now: entries of the window in order, and parked ones that are due. */
export interface ReadyQueue<S extends Queued> {
  push(slot: S): void;
  /** In front: it is tried again. */
  putBack(slot: S): void;
  /** The next one; parked ones take every other turn at most. Undefined: there is none. */
  next(): S | undefined;
  readonly empty: boolean;
}

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
    next,
    get empty() {
      return first >= slots.length && parked.length === 0;
    },
  };
}

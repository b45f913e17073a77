import type { Sent } from './shared.ts';

/** Sent ones are dropped from the front once so many have gathered. */
const COMPACT_AT = 1_024;

/** What may be sent now: entries of the window in order, and parked ones that are due. */
export interface Ready {
  push(slot: Sent): void;
  /** In front: it is tried again. */
  putBack(slot: Sent): void;
  /** The next one; parked ones take every other turn at most. Undefined: there is none. */
  next(): Sent | undefined;
  readonly empty: boolean;
}

export function createReady(): Ready {
  let slots: Sent[] = [];
  let first = 0;
  const parked: Sent[] = [];
  let parkedsTurn = false;

  function next(): Sent | undefined {
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

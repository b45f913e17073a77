import type { Ordering } from '../schema/consumer.ts';
import type { Slot } from './slidingWindow.ts';

/**
 * Decides which entries wait for which. `record`: entries of one record go one at a time, in order;
 * `stream`: all entries go one after another; `none`: nothing waits.
 */
export interface Lanes<E> {
  /** Adds a slot to its lane; true when it may be sent now, false when it waits for its predecessor. */
  add(slot: Slot<E>): boolean;
  /** Frees the lane of a settled slot; returns the successor that may be sent now, if there is one. */
  settle(slot: Slot<E>): Slot<E> | null;
  /** Whether the lane holds an entry that has not settled. */
  has(lane: string): boolean;
}

/** Creates the lanes of one drain. */
export function createLanes<E>(ordering: Ordering): Lanes<E> {
  if (ordering === 'none') return { add: () => true, settle: () => null, has: () => false };
  const last = new Map<string, Slot<E>>(); // the last entry of each lane

  function add(slot: Slot<E>): boolean {
    const previous = last.get(slot.lane);
    last.set(slot.lane, slot);
    if (previous === undefined) return true;
    previous.next = slot;
    return false;
  }

  function settle(slot: Slot<E>): Slot<E> | null {
    const { next } = slot;
    if (next === null) last.delete(slot.lane);
    slot.next = null;
    return next;
  }

  return { add, settle, has: (lane) => last.has(lane) };
}

import type { Ordering } from '../schema/consumer.ts';
import type { Slot } from './slidingWindow.ts';

/**
 * Which entries wait for which. `record`: entries of one record one at a time, in order;
 * `stream`: strictly one after another; `none`: nothing waits. Lanes outlive pages.
 */
export interface Lanes<E> {
  /** True when the slot may be sent now; else it follows its predecessor. */
  add(slot: Slot<E>): boolean;
  /** Frees the lane; returns the successor that may be sent now. */
  settle(slot: Slot<E>): Slot<E> | null;
  /** Whether an entry of this lane has not settled. */
  has(lane: string): boolean;
}

export function createLanes<E>(ordering: Ordering): Lanes<E> {
  if (ordering === 'none') return { add: () => true, settle: () => null, has: () => false };
  const last = new Map<string, Slot<E>>(); // the lane's last entry

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

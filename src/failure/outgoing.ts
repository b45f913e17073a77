import type { Entry } from '../pages.ts';
import type { Parked } from '../parkedEntry.ts';
import type { Slot } from '../window.ts';

/** A slot on its way; it is the message itself, so nothing is allocated for it. */
export interface Sent extends Slot<Entry> {
  position: number;
  messageId: string;
  body: string;
  attempt: number;
  /** What it is a retry of; null on its way through the window. */
  parked: Parked | null;
}

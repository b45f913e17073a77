import type { Slot } from '../flow/slidingWindow.ts';
import type { Entry } from '../streams/entry.ts';
import type { ParkedEntry } from './parkedEntry.ts';

/** A slot on its way; it is the message itself, so nothing is allocated for it. */
export interface Outgoing extends Slot<Entry> {
  position: number;
  messageId: string;
  body: string;
  attempt: number;
  /** What it is a retry of; null on its way through the window. */
  parked: ParkedEntry | null;
}

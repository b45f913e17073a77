import type { Slot } from '../flow/slidingWindow.ts';
import type { Entry } from '../streams/entry.ts';
import type { ParkedEntry } from './parkedEntry.ts';

/** A slot on its way. It is the message as well, so that none is allocated for each request. */
export interface Outgoing extends Slot<Entry> {
  messageId: string;
  /** The body of its entry while it is in flight; otherwise empty. */
  body: string;
  attempt: number;
  /** The parked entry that it is a retry of; null for an entry of the sliding window. */
  parked: ParkedEntry | null;
}

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

/** The first attempt at an entry that is in no sliding window. */
export function firstAttempt(entry: Entry): Outgoing {
  const { position, messageId, body } = entry;
  return {
    position,
    entry,
    settled: false,
    closed: false,
    sent: true,
    next: null,
    lane: '',
    messageId,
    body,
    attempt: 1,
    parked: null,
  };
}

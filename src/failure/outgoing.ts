import type { Slot } from '../flow/slidingWindow.ts';
import type { Outcome } from '../rules/outcome.ts';
import type { Entry } from '../streams/entry.ts';
import type { ParkedEntry } from './parkedEntry.ts';

/** A slot on its way. It also serves as the message, so that none is allocated for each request. */
export interface Outgoing extends Slot<Entry> {
  messageId: string;
  /** The body of its entry while it is in flight; otherwise empty. */
  body: string;
  /** That of its entry. */
  traceparent: string | null;
  attempt: number;
  /** The parked entry that it is a retry of; null for an entry of the sliding window. */
  parked: ParkedEntry | null;
  /**
   * When its entry was read, and when the last entry before it in its lane was settled; monotonic, whole ms; 0:
   * not known.
   */
  readAt: number;
  readyAt: number;
}

/** Those of the entries of one request that wait for none of the others in their lanes. */
export function firstOfLanes(members: readonly Outgoing[]): Outgoing[] {
  const behind = new Set<Slot<Entry> | null>(members.map(({ next }) => next));
  return members.filter((member) => !behind.has(member));
}

/** The first attempt at an entry that is in no sliding window; it was read at `readAt`. */
export function firstAttempt(entry: Entry, readAt: number): Outgoing {
  const { position, messageId, body, traceparent } = entry;
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
    traceparent,
    attempt: 1,
    parked: null,
    readAt,
    readyAt: Math.trunc(performance.now()),
  };
}

/**
 * Adds to the trace of a first attempt, if it has one, how long it waited; it started at `startedMono`
 * (monotonic ms).
 */
export function addWaits(slot: Outgoing, outcome: Outcome, startedMono: number): void {
  if (outcome.kind === 'ours' || outcome.trace === undefined) return;
  const { timings } = outcome.trace;
  const { readAt, readyAt, attempt } = slot;
  if (attempt > 1 || readAt === 0 || timings.lane !== null) return;
  timings.lane = Math.max(0, readyAt - readAt);
  timings.pace = Math.max(0, Math.round(startedMono - readyAt));
}

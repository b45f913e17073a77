import type { AttemptLog, EndedAttempt, HeadSchedule } from '../progress/attemptLog.ts';
import type { StoredHead } from '../progress/lease.ts';
import { mayBeMessage, type Failed } from '../rules/outcome.ts';
import type { Entry } from '../streams/entry.ts';
import type { Outgoing } from './outgoing.ts';

/** The entries that fail because of the endpoint. */
export interface Failing {
  /** Null: nothing fails. */
  head: StoredHead | null;
  /** The entries to be tried again, apart from those that have their next turn already. */
  slots: Outgoing[];
  /** Whether a message could have caused one of the failures. */
  mayBeMessage: boolean;
}

/** The entries whose failures are blamed on the endpoint, since they were taken last. */
export interface FailingEntries {
  /** Notes a failure. */
  note(slot: Outgoing, attempt: EndedAttempt, outcome: Failed, has?: HasFailed): void;
  /**
   * Returns and forgets them, with the next attempt of their head: planned from `now` (unix ms) by the schedule
   * of `before`.
   */
  take(now: number, paceMs: number, before: HeadSchedule | null): Failing;
}

/** What is known of a failure. */
export interface HasFailed {
  /** Its attempt is in the log already, or is not to be stored. */
  handedOver?: boolean;
  /** The entry has its next turn already. */
  again?: boolean;
  /** It failed with others, so that the next attempts, which carry fewer of them, show whether it is at fault. */
  withOthers?: boolean;
}

/** Creates it without an entry. */
export function createFailingEntries(options: {
  attempts: Pick<AttemptLog, 'failing' | 'failingHead'>;
  /** Whether an entry still passes the filter. */
  passes: (entry: Entry) => boolean;
}): FailingEntries {
  const { attempts, passes } = options;
  let slots: Outgoing[] = [];
  let doubtful = false;

  return {
    note: (slot, attempt, outcome, has = {}) => {
      attempts.failing(attempt, outcome, has.handedOver);
      if (slot.parked === null && has.again !== true) slots.push(slot);
      doubtful ||= has.withOthers !== true && mayBeMessage(outcome);
    },
    take: (now, paceMs, before) => {
      const head = attempts.failingHead(now, paceMs, before);
      const taken = { head, slots, mayBeMessage: doubtful };
      for (const slot of slots) slot.closed ||= !passes(slot.entry); // by an edit of the filter meanwhile
      slots = [];
      doubtful = false;
      return taken;
    },
  };
}

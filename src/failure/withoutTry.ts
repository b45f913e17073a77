import type { Dispatcher } from '../flow/dispatcher.ts';
import type { AttemptLog, EndedAttempt } from '../progress/attemptLog.ts';
import type { Failed } from '../rules/outcome.ts';
import type { Entry } from '../streams/entry.ts';
import type { Outgoing } from './outgoing.ts';
import type { RecordParking } from './recordParking.ts';

export interface WithoutTryOptions {
  attempts: Pick<AttemptLog, 'failed'>;
  dispatcher: Pick<Dispatcher<Outgoing>, 'putBack' | 'pump'>;
  recordParking: Pick<RecordParking, 'park'>;
  /** By position: how many attempts at an entry have failed, before and during this drain. */
  failedAttempts: Map<number, number>;
  /** Whether an entry still passes the filter. */
  passes: (entry: Entry) => boolean;
}

/** Ends failed entries that need no other try to decide. */
export interface WithoutTry {
  /** Whether an edit of the filter has removed an entry while it was in flight; it then settles when its turn comes. */
  isClosed(slot: Outgoing, forget: (slot: Outgoing) => void): boolean;
  /** Parks an entry of which no body could be made: nothing was sent, so there is no evidence about anything else. */
  parkUnmade(
    slot: Outgoing,
    attempt: EndedAttempt,
    outcome: Failed,
    forget: (slot: Outgoing) => void,
  ): void;
}

/** Creates the part of a drain's failure handler that ends entries without another try. */
export function createWithoutTry(options: WithoutTryOptions): WithoutTry {
  const { attempts, dispatcher, recordParking, failedAttempts, passes } = options;

  function isClosed(slot: Outgoing, forget: (slot: Outgoing) => void): boolean {
    if (passes(slot.entry)) return false;
    slot.closed = true;
    forget(slot);
    dispatcher.putBack(slot);
    dispatcher.pump();
    return true;
  }

  return {
    isClosed,
    parkUnmade: (slot, attempt, outcome, forget) => {
      failedAttempts.set(attempt.position, attempt.attempt);
      attempts.failed(attempt, outcome, null);
      if (isClosed(slot, forget)) return;
      forget(slot);
      recordParking.park(slot, outcome);
    },
  };
}

import type { EndedAttempt } from '../progress/attemptLog.ts';
import { isUnanswered, type Failed } from '../rules/outcome.ts';
import type { Outgoing } from './outgoing.ts';
import type { Suspects } from './suspects.ts';

/** A request of several entries that has failed in a way for which one of them may be the reason. */
export interface FailedBatch {
  members: readonly Outgoing[];
  /** The attempts, one of each member. */
  attempts: readonly EndedAttempt[];
  outcome: Failed;
  /** Monotonic ms. */
  startedAt: number;
  endedAt: number;
}

/**
 * The failed batches of which it is not known whether their endpoint or one of their entries is at fault: no request
 * has succeeded since. They count as suspects do, so that an endpoint which answers everything with 500 is in doubt
 * after a few requests, and not only when each batch has been split into its entries.
 */
export interface FailedBatches {
  note(batch: FailedBatch): void;
  /** Notes a success, whose request started at `startedAt` (monotonic ms). */
  succeeded(startedAt: number): void;
  /** Whether there are any. */
  readonly any: boolean;
  /** Whether there are so many, beside the suspects, that a single request has to decide about the endpoint. */
  tooManyBeside(suspects: Pick<Suspects<Outgoing>, 'tooManyWith'>): boolean;
  /** Returns and forgets them. */
  take(): FailedBatch[];
}

/** What a drain that sends batches knows of those that failed. */
export interface BatchingFailures {
  batches: FailedBatches;
  /** When the request started with which an entry failed that is now tried by itself; undefined: there was none. */
  startedAt: (slot: Outgoing) => number | undefined;
}

/** Creates it without a batch. */
export function createFailedBatches(): FailedBatches {
  let batches: FailedBatch[] = [];

  function succeeded(startedAt: number): void {
    if (batches.length === 0) return;
    // As for a suspect: after a request without an answer it is enough that the other one started later.
    batches = batches.filter(({ outcome, startedAt: failedFrom, endedAt }) => {
      return startedAt <= (isUnanswered(outcome) ? failedFrom : endedAt);
    });
  }

  /** Drops those of which nothing is left to send. */
  function prune(): void {
    if (batches.length > 0) batches = batches.filter(({ members }) => members.some(isOpen));
  }

  return {
    note: (batch) => void batches.push(batch),
    succeeded,
    get any() {
      prune();
      return batches.length > 0;
    },
    tooManyBeside: (suspects) => {
      prune();
      const unanswered = batches.filter(({ outcome }) => isUnanswered(outcome)).length;
      return suspects.tooManyWith(batches.length, unanswered);
    },
    take: () => {
      prune();
      const taken = batches;
      batches = [];
      return taken;
    },
  };
}

/** Whether an entry is still to be sent. */
export function isOpen({ settled, closed }: Pick<Outgoing, 'settled' | 'closed'>): boolean {
  return !settled && !closed;
}

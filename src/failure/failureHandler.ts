import type { Logger } from 'pino';

import type { Dispatcher } from '../flow/dispatcher.ts';
import type { InFlightLimit } from '../flow/inFlightLimit.ts';
import type { AttemptLog, EndedAttempt, HeadSchedule } from '../progress/attemptLog.ts';
import { recordOf } from '../rules/ordering.ts';
import {
  blameOf,
  isOfBody,
  isOverload,
  isUnanswered,
  mayBeMessage,
  type Blame,
  type Failed,
} from '../rules/outcome.ts';
import type { Ordering } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Entry } from '../streams/entry.ts';
import type { Pages } from '../streams/pages.ts';
import { createBesideBatches } from './besideBatches.ts';
import type { FailBatch } from './failBatch.ts';
import type { BatchingFailures } from './failedBatches.ts';
import { createFailingEntries, type Failing } from './failingEntries.ts';
import { createNewestSuccess, type NewestSuccess } from './newestSuccess.ts';
import type { Outgoing } from './outgoing.ts';
import type { ParkedEntries } from './parkedEntries.ts';
import { isItsOwn } from './parkedEntry.ts';
import type { RecordParking } from './recordParking.ts';
import { createSendAgain } from './sendAgain.ts';
import { createSuspects } from './suspects.ts';
import type { FailureVerdict } from './verdict.ts';
import { createWithoutTry } from './withoutTry.ts';

/** The parts of a drain that its failures concern. */
export interface FailureHandlerOptions {
  consumerId: string;
  stream: StreamName;
  ordering: Ordering;
  pages: Pick<Pages, 'entryAt'>;
  attempts: AttemptLog;
  limit: Pick<InFlightLimit, 'overload'>;
  dispatcher: Pick<Dispatcher<Outgoing>, 'putBack' | 'putBackAll' | 'pump'>;
  parked: ParkedEntries;
  recordParking: Pick<RecordParking, 'park'>;
  /** By position: how many attempts at an entry have failed, before and during this drain. */
  failedAttempts: Map<number, number>;
  /** Whether the endpoint is known to fail, so that each failure counts as one of the endpoint. */
  isOut: () => boolean;
  /** Whether an entry still passes the filter. */
  passes: (entry: Entry) => boolean;
  /** What a drain that sends batches knows of those that failed. */
  batching?: BatchingFailures | undefined;
  /** Called when there is something to store. */
  mark: () => void;
  log: Logger;
}

/**
 * Decides what a drain does about failed attempts. It tries suspects again, and parks an entry that is
 * proven to be at fault itself, with the entries of its record that follow it.
 */
export interface FailureHandler {
  /** Judges a failed attempt, which started at `startedMono` (monotonic ms). */
  fail(slot: Outgoing, attempt: EndedAttempt, outcome: Failed, startedMono: number): FailureVerdict;
  /** Judges a request of several entries that has failed. */
  failBatch: FailBatch;
  /** Notes a success, which is evidence for the endpoint and therefore against the suspects of other records. */
  succeeded(slot: Outgoing, startedMono: number): void;
  /** Whether a request may start although there are suspects; `alone`: no other one is open. */
  mayStart(alone: boolean): boolean;
  /** Notes that a request starts. */
  started(slot: Outgoing): void;
  /** Whether the suspects count as a failure of the endpoint; `nothingElse`: nothing else is left to send. */
  blames(nothingElse: boolean): boolean;
  /** Sends the suspects again whose time has come; called every few tens of ms. */
  tick(now: number): void;
  /** Tries an entry again whose attempt says nothing about it. */
  tryAgain(slot: Outgoing): void;
  /** Tries entries again that went with one request, which says nothing about them. */
  tryBatchAgain(members: readonly Outgoing[]): void;
  /** Forgets an entry that is settled without another try. */
  forget(slot: Outgoing): void;
  /** Settles a waiting suspect that an edit of the filter has closed. */
  closed(slot: Outgoing): void;
  /**
   * Returns the failing entries once the endpoint counts as failing and nothing is in flight: the failing head
   * with its next attempt, planned from `now` (unix ms) by the schedule that continues from `before`.
   * Afterwards there are no suspects.
   */
  takeFailing(now: number, paceMs: number, before: HeadSchedule | null): Failing;
  /** Whether there are suspects. */
  readonly suspected: boolean;
  /**
   * Whether there are so many suspects that a single request has to decide about the endpoint. It is best made
   * with the entry that was read last, because entries that fail alike often follow each other.
   */
  readonly inDoubt: boolean;
}

/** A failed attempt as `fail` is told of it. */
type FailedAttempt = Parameters<FailureHandler['fail']>;

/** Creates the handler of one drain, without suspects. */
export function createFailureHandler(options: FailureHandlerOptions): FailureHandler {
  const { attempts, dispatcher, parked, failedAttempts, isOut } = options;
  const suspects = createSuspects<Outgoing>();
  const newestSuccess = createNewestSuccess();
  const again = createSendAgain({ ...options, superseded: forget });
  // The last failure of each suspect that waits for its next try.
  const unexplained = new Map<Outgoing, { attempt: EndedAttempt; outcome: Failed }>();
  const failing = createFailingEntries(options);
  const withoutTry = createWithoutTry(options);
  const halve = createHalving(options.limit);
  const beside = createBesideBatches({ ...options, suspects, failing, newestSuccess, halve });
  const { doubt } = beside;

  function fail(...[slot, attempt, outcome, startedMono]: FailedAttempt): FailureVerdict {
    if (isOfBody(outcome) && slot.parked === null && options.ordering !== 'stream') {
      doubt.ended(slot, false);
      withoutTry.parkUnmade(slot, attempt, outcome, forget);
      return parked.overflown ? 'parked' : 'goes on';
    }
    const own = slot.parked !== null && isItsOwn(slot.parked, outcome);
    const blame = own ? 'message' : blameHere(slot, outcome, startedMono, { newestSuccess, isOut });
    if (isOverload(outcome) && !own) halve(startedMono);
    doubt.ended(slot, !own);
    if (slot.parked !== null) {
      const nextAt = parked.failed(slot.parked, outcome, { blame, mayDie: blame === 'message' });
      options.mark();
      if (blame === 'message') {
        attempts.failed(attempt, outcome, nextAt);
        return 'goes on';
      }
    }
    failedAttempts.set(attempt.position, attempt.attempt);
    if (blame === 'message') return suspect(slot, attempt, outcome, startedMono);
    forget(slot);
    failing.note(slot, attempt, outcome);
    return blame === 'gone' ? 'gone' : 'blocked';
  }

  /** Handles a failure that may be the fault of the message or of the endpoint: requests of other records decide. */
  function suspect(...[slot, attempt, outcome, startedMono]: FailedAttempt): FailureVerdict {
    attempts.failed(attempt, outcome, null);
    if (withoutTry.isClosed(slot, forget)) return 'goes on';
    const verdict = suspects.failed(slot, {
      record: recordOf(slot.entry),
      startedAt: startedMono,
      batchStartedAt: beside.startedAt(slot),
      endedAt: performance.now(),
      answered: !isUnanswered(outcome),
      contradictedSince: (time) => newestSuccess.isOfAnotherAfter(slot.entry, time),
    });
    slot.sent = false;
    if (verdict === 'wait') {
      unexplained.set(slot, { attempt, outcome });
      return 'goes on';
    }
    unexplained.delete(slot);
    options.recordParking.park(slot, outcome);
    return parked.overflown ? 'parked' : 'goes on';
  }

  function succeeded(slot: Outgoing, startedMono: number): void {
    beside.succeeded(startedMono);
    if (slot.parked !== null && options.ordering === 'stream') return; // under this ordering nothing is parked
    newestSuccess.note(slot.entry, startedMono);
    if (suspects.size === 0) return;
    suspects.succeeded(slot, recordOf(slot.entry), startedMono, performance.now());
    unexplained.delete(slot);
    doubt.ended(slot, false);
  }

  function takeFailing(now: number, paceMs: number, before: HeadSchedule | null): Failing {
    for (const [slot, { attempt, outcome }] of unexplained) {
      failing.note(slot, attempt, outcome, { handedOver: true, again: suspects.isTried(slot) });
      suspects.forget(slot);
    }
    unexplained.clear();
    beside.handOver();
    doubt.end();
    return failing.take(now, paceMs, before);
  }

  function forget(slot: Outgoing): void {
    suspects.forget(slot);
    unexplained.delete(slot);
  }

  const isUnsure = (): boolean => suspects.size > 0 || beside.any;

  return {
    fail,
    failBatch: beside.failBatch,
    succeeded,
    mayStart: (alone) => !isUnsure() || doubt.mayStart(alone),
    started: doubt.started,
    blames: (nothingElse) => doubt.isSettled(nothingElse && !again.looks),
    tick: (now) => {
      // While the endpoint is in doubt, an entry that is not a suspect has to decide.
      if (suspects.size === 0 || doubt.exists) return;
      for (const slot of suspects.due(now)) again.one(slot);
    },
    tryAgain: (slot) => {
      doubt.ended(slot, false);
      if (slot.parked === null) again.one(slot);
      else if (parked.lands(slot.parked)) dispatcher.putBack(slot);
    },
    tryBatchAgain: (members) => {
      doubt.ended(members[0] as Outgoing, false);
      again.all(members);
    },
    forget: (slot) => {
      if (suspects.size > 0) forget(slot);
    },
    closed: (slot) => {
      if (!unexplained.has(slot)) return;
      forget(slot); // it waits for its next try, so its turn would not come by itself
      dispatcher.putBack(slot);
    },
    takeFailing,
    get suspected() {
      return isUnsure();
    },
    get inDoubt() {
      return doubt.exists;
    },
  };
}

/**
 * What a failure is blamed on. While the endpoint is known to fail, it is the endpoint. A parked entry that now
 * gets a gateway's answer, or none, is evidence against the endpoint only if no other request has succeeded
 * meanwhile.
 */
function blameHere(
  slot: Outgoing,
  outcome: Failed,
  startedMono: number,
  known: { newestSuccess: NewestSuccess; isOut: () => boolean },
): Blame {
  const blame = blameOf(outcome);
  if (blame === 'message' && slot.parked === null && known.isOut()) return 'endpoint';
  const unclear = blame === 'endpoint' || isUnanswered(outcome);
  if (slot.parked === null || !unclear || !mayBeMessage(outcome)) return blame;
  const isContradicted = known.newestSuccess.isOfAnotherAfter(slot.entry, startedMono);
  return isContradicted ? 'message' : 'endpoint';
}

/** Returns what halves the requests that may be in flight, but only once for all that were in flight together. */
function createHalving(limit: Pick<InFlightLimit, 'overload'>): (startedMono: number) => void {
  let halvedAt = -Infinity;
  return (startedMono) => {
    if (startedMono < halvedAt) return;
    limit.overload();
    halvedAt = performance.now();
  };
}

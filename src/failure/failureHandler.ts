import type { Logger } from 'pino';

import type { Dispatcher } from '../flow/dispatcher.ts';
import type { InFlightLimit } from '../flow/inFlightLimit.ts';
import type { AttemptLog, EndedAttempt, FailingHead } from '../progress/attemptLog.ts';
import { recordOf } from '../rules/ordering.ts';
import { blameOf, isOverload, type Failed } from '../rules/outcome.ts';
import type { Ordering } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Entry } from '../streams/entry.ts';
import type { Pages } from '../streams/pages.ts';
import type { Outgoing } from './outgoing.ts';
import type { ParkedEntries } from './parkedEntries.ts';
import { isSameAnswer } from './parkedEntry.ts';
import type { RecordParking } from './recordParking.ts';
import { createSuspects } from './suspects.ts';

/** The parts of a drain that its failures concern. */
export interface FailureHandlerOptions {
  consumerId: string;
  stream: StreamName;
  ordering: Ordering;
  pages: Pick<Pages, 'entryAt'>;
  attempts: AttemptLog;
  limit: Pick<InFlightLimit, 'overload'>;
  dispatcher: Pick<Dispatcher<Outgoing>, 'putBack' | 'pump'>;
  parked: ParkedEntries;
  recordParking: Pick<RecordParking, 'park'>;
  /** By position: how many attempts at an entry have failed, before and during this drain. */
  failedAttempts: Map<number, number>;
  /** Whether an entry still passes the filter. */
  passes: (entry: Entry) => boolean;
  /** Called when there is something to store. */
  mark: () => void;
  log: Logger;
}

/** What follows from a failure: sending goes on, or ends for a reason. */
export type FailureVerdict = 'goes on' | 'blocked' | 'gone' | 'parked';

/**
 * Decides what a drain does about failed attempts. It tries suspects again, and parks an entry that is
 * proven to be at fault itself, with the entries of its record that follow it.
 */
export interface FailureHandler {
  /** Judges a failed attempt, which started at `startedMono` (monotonic ms). */
  fail(slot: Outgoing, attempt: EndedAttempt, outcome: Failed, startedMono: number): FailureVerdict;
  /** Notes a success, which is evidence for the endpoint and so against the suspects of other records. */
  cleared(slot: Outgoing, startedMono: number): void;
  /** Whether the suspects are taken as a failure of the endpoint; `nothingElse`: nothing else is left to send. */
  blames(nothingElse: boolean): boolean;
  /** Sends the suspects again whose time has come; called every few tens of ms. */
  tick(now: number): void;
  /** Tries an entry again whose attempt is no evidence about it. */
  tryAgain(slot: Outgoing): void;
  /** Forgets an entry that is settled without another try. */
  forget(slot: Outgoing): void;
  /** Settles a waiting suspect that an edit of the filter has closed. */
  closed(slot: Outgoing): void;
  /** The failing head when a failure ends the drain, with its next attempt; null when nothing fails. */
  head(now: number, paceMs: number): FailingHead | null;
  /** Whether there are suspects. */
  readonly suspected: boolean;
  /** Whether there are so many suspects that nothing new may start. */
  readonly tooMany: boolean;
}

/** Creates the handler of one drain, without suspects. */
export function createFailureHandler(options: FailureHandlerOptions): FailureHandler {
  const { pages, attempts, dispatcher, parked, failedAttempts } = options;
  const { consumerId, stream, ordering } = options;
  const suspects = createSuspects<Outgoing>();
  // The last failure of each suspect that waits for its next try.
  const unexplained = new Map<Outgoing, { attempt: EndedAttempt; outcome: Failed }>();
  let overloaded = false;

  function fail(
    slot: Outgoing,
    attempt: EndedAttempt,
    outcome: Failed,
    startedMono: number,
  ): FailureVerdict {
    const blame = isItsOwn(slot, outcome) ? 'message' : blameOf(outcome);
    if (isOverload(outcome) && !overloaded) options.limit.overload(); // once, as the drain ends with it
    overloaded ||= isOverload(outcome);
    if (slot.parked !== null) {
      const nextAt = parked.failed(slot.parked, outcome, blame === 'message');
      options.mark();
      if (blame === 'message') {
        attempts.failed(attempt, outcome, nextAt);
        return 'goes on';
      }
    }
    failedAttempts.set(attempt.position, attempt.attempt);
    if (blame === 'message') return suspect(slot, attempt, outcome, startedMono);
    attempts.failing(attempt, outcome);
    return blame === 'gone' ? 'gone' : 'blocked';
  }

  /** Handles a failure that may be the message's or the endpoint's: requests of other records decide. */
  function suspect(
    slot: Outgoing,
    attempt: EndedAttempt,
    outcome: Failed,
    startedMono: number,
  ): FailureVerdict {
    attempts.failed(attempt, outcome, null);
    if (!options.passes(slot.entry)) {
      slot.closed = true; // an edit of the filter removed it while it was in flight
      forget(slot);
      sendAgain(slot);
      return 'goes on';
    }
    const verdict = suspects.failed(slot, recordOf(slot.entry), startedMono, performance.now());
    slot.sent = false;
    if (verdict === 'wait') {
      unexplained.set(slot, { attempt, outcome });
      return 'goes on';
    }
    unexplained.delete(slot);
    options.recordParking.park(slot, outcome);
    return parked.overflown ? 'parked' : 'goes on';
  }

  function cleared(slot: Outgoing, startedMono: number): void {
    if (slot.parked !== null && ordering === 'stream') return; // under this ordering nothing is parked
    suspects.succeeded(slot, recordOf(slot.entry), startedMono, performance.now());
    unexplained.delete(slot);
  }

  function again(slot: Outgoing): void {
    if (stream === 'records') void readAndSendAgain(slot);
    else dispatcher.putBack(slot);
  }

  /** Sends a record again, unless a newer version of it has been stored meanwhile. */
  async function readAndSendAgain(slot: Outgoing): Promise<void> {
    try {
      const { entry } = slot; // one that has settled meanwhile has let go of it
      entry.superseded = (await pages.entryAt(stream, slot.position)) === null;
    } catch (error) {
      options.log.warn({ err: error, consumer_id: consumerId }, 'a record could not be read again');
    }
    if (slot.entry.superseded) forget(slot);
    sendAgain(slot);
  }

  function sendAgain(slot: Outgoing): void {
    dispatcher.putBack(slot);
    dispatcher.pump();
  }

  function forget(slot: Outgoing): void {
    suspects.forget(slot);
    unexplained.delete(slot);
  }

  return {
    fail,
    cleared,
    blames: (nothingElse) => suspects.tooMany || (suspects.exhausted && nothingElse),
    tick: (now) => {
      if (suspects.size > 0) for (const slot of suspects.due(now)) again(slot);
    },
    tryAgain: (slot) => {
      if (slot.parked === null) again(slot);
      else if (parked.lands(slot.parked)) dispatcher.putBack(slot);
    },
    forget: (slot) => {
      if (suspects.size > 0) forget(slot);
    },
    closed: (slot) => {
      if (!unexplained.has(slot)) return;
      forget(slot); // it waits for its next try, so its turn would not come by itself
      dispatcher.putBack(slot);
    },
    head: (now, paceMs) => {
      for (const one of unexplained.values()) attempts.failing(one.attempt, one.outcome, true);
      return attempts.failingHead(now, paceMs);
    },
    get suspected() {
      return suspects.size > 0;
    },
    get tooMany() {
      return suspects.tooMany;
    },
  };
}

/** Whether a parked entry got the answer again with which it proved to be at fault itself. */
function isItsOwn({ parked }: Outgoing, outcome: Failed): boolean {
  return parked !== null && isSameAnswer(parked.failure, outcome);
}

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
  /** By position: attempts that failed before and during this drain. */
  failedAttempts: Map<number, number>;
  /** Whether an entry still passes the filter. */
  passes: (entry: Entry) => boolean;
  /** Called when there is something to store. */
  mark: () => void;
  log: Logger;
}

/** What came of a failure: sending goes on, or ends. */
export type FailureVerdict = 'goes on' | 'blocked' | 'gone' | 'parked';

/**
 * Decides what a drain does about failed attempts: tries suspects again, and parks an entry that is
 * proven to be at fault itself, with the entries of its record that follow it.
 */
export interface FailureHandler {
  fail(slot: Outgoing, attempt: EndedAttempt, outcome: Failed, startedMono: number): FailureVerdict;
  /** A success speaks for the endpoint, and so against the suspects of other records. */
  cleared(slot: Outgoing, startedMono: number): void;
  /** Whether the endpoint must be at fault for what is unexplained; asked when nothing is in flight. */
  blames(nothingElse: boolean): boolean;
  /** Called every few tens of ms: suspects whose time has come are sent again. */
  tick(now: number): void;
  /** An attempt that says nothing of its entry: the entry is tried again. */
  tryAgain(slot: Outgoing): void;
  /** The entry is settled without another try. */
  forget(slot: Outgoing): void;
  /** An unsent entry was closed by an edit of the filter. */
  closed(slot: Outgoing): void;
  /** The lowest failing entry, when failing ends the drain. */
  head(now: number, paceMs: number): FailingHead | null;
  readonly suspected: boolean;
  /** So many suspects that nothing new may start. */
  readonly tooMany: boolean;
}

export function createFailureHandler(options: FailureHandlerOptions): FailureHandler {
  const { pages, attempts, dispatcher, parked, failedAttempts } = options;
  const { consumerId, stream, ordering } = options;
  const suspects = createSuspects<Outgoing>();
  // The last failure of each suspect.
  const unexplained = new Map<Outgoing, { attempt: EndedAttempt; outcome: Failed }>();
  let overloaded = false;

  function fail(
    slot: Outgoing,
    attempt: EndedAttempt,
    outcome: Failed,
    startedMono: number,
  ): FailureVerdict {
    const blame = isItsOwn(slot, outcome) ? 'message' : blameOf(outcome);
    if (isOverload(outcome) && !overloaded) options.limit.overload(); // once: the drain ends with it
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

  /** It may be the message or the endpoint: the requests of other records decide. */
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
    if (slot.parked !== null && ordering === 'stream') return; // which never parks
    suspects.succeeded(slot, recordOf(slot.entry), startedMono, performance.now());
    unexplained.delete(slot);
  }

  function again(slot: Outgoing): void {
    if (stream === 'records') void readAndSendAgain(slot);
    else dispatcher.putBack(slot);
  }

  /** On the records stream a version that has moved meanwhile is not tried again. */
  async function readAndSendAgain(slot: Outgoing): Promise<void> {
    try {
      slot.entry.superseded = (await pages.entryAt(stream, slot.position)) === null;
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
      forget(slot); // it waits for its next try, so it would not come by
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

/** Whether a parked entry is answered as it was when it proved to be at fault itself. */
function isItsOwn({ parked }: Outgoing, outcome: Failed): boolean {
  return parked !== null && isSameAnswer(parked.failure, outcome);
}

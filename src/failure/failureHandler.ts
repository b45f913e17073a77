import type { Logger } from 'pino';

import type { InFlightLimit } from '../flow/inFlightLimit.ts';
import type { Lanes } from '../flow/lanes.ts';
import type { SlidingWindow } from '../flow/slidingWindow.ts';
import type { FailingHead, EndedAttempt, AttemptLog } from '../progress/attemptLog.ts';
import type { ParkedStore } from '../progress/parkedRows.ts';
import { recordOf } from '../rules/ordering.ts';
import { blameOf, isOverload, type Failed } from '../rules/outcome.ts';
import type { Ordering } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Entry } from '../streams/entry.ts';
import type { Pages } from '../streams/pages.ts';
import type { Outgoing } from './outgoing.ts';
import {
  createParkedEntries,
  type ParkedEntries,
  type ParkedEntriesOptions,
} from './parkedEntries.ts';
import { isSameAnswer, type ParkedEntry } from './parkedEntry.ts';
import { createSuspects } from './suspects.ts';

export interface FailureHandlerOptions extends ParkedEntriesOptions {
  pages: Pick<Pages, 'entryAt'>;
  /** Rows and bodies of what is parked. */
  store: Pick<ParkedStore, 'rows' | 'bodies'>;
  consumerId: string;
  stream: StreamName;
  ordering: Ordering;
  slidingWindow: SlidingWindow<Entry>;
  lanes: Lanes<Entry>;
  outcomes: AttemptLog;
  flow: InFlightLimit;
  /** By position; attempts that failed before and during this drain. */
  failedAttempts: Map<number, number>;
  /** Puts one in front of what may be sent. */
  putBack: (slot: Outgoing) => void;
  /** Whether an entry still passes the filter. */
  passes: (entry: Entry) => boolean;
  /** There is something to store. */
  mark: () => void;
  sendReady: () => void;
  log: Logger;
}

/** What came of a failure: sending goes on, or ends. */
export type FailureVerdict = 'goes on' | 'blocked' | 'gone' | 'parked';

/**
 * What a drain does about failed attempts: tries suspects again, parks what is proven to be a
 * message's own fault with what follows of its record, and tries parked entries when they are due.
 */
export interface FailureHandler {
  fail(slot: Outgoing, made: EndedAttempt, outcome: Failed, startedMono: number): FailureVerdict;
  /** A success speaks for the endpoint, and so against the suspects of other records. */
  cleared(slot: Outgoing, startedMono: number): void;
  /** Whether what is unexplained can only be the endpoint's fault; asked when nothing is in flight. */
  blames(nothingElse: boolean): boolean;
  /** Whether a new entry of this record has to be parked behind others; if so, it has been. */
  parksBehind(slot: Outgoing): boolean;
  /** Called every few tens of ms: what is due is put to be sent. */
  tick(now: number): void;
  /** Its attempt says nothing of it: it is tried again. */
  tryAgain(slot: Outgoing): void;
  /** It is settled without another try. */
  forget(slot: Outgoing): void;
  /** The filter has changed. */
  keepOnly(passes: (entry: Entry) => boolean): void;
  /** An unsent entry was closed by an edit. */
  closed(slot: Outgoing): void;
  reload(): Promise<void>;
  /** The lowest failing entry, when failing ends the drain. */
  head(now: number, paceMs: number): FailingHead | null;
  readonly suspected: boolean;
  readonly tooMany: boolean;
  readonly parked: ParkedEntries;
}

export function createFailureHandler(options: FailureHandlerOptions): FailureHandler {
  const {
    pages,
    store,
    consumerId,
    stream,
    ordering,
    slidingWindow: window,
    lanes,
    outcomes,
    log,
  } = options;
  const { failedAttempts, mark, putBack, sendReady, flow } = options;
  const suspects = createSuspects<Outgoing>();
  const unexplained = new Map<Outgoing, { made: EndedAttempt; outcome: Failed }>(); // suspects' last failures
  const parking = createParkedEntries(options);
  let overloaded = false;
  let reloads = false; // what was read of the parked ones was not all that there is

  function fail(
    slot: Outgoing,
    made: EndedAttempt,
    outcome: Failed,
    startedMono: number,
  ): FailureVerdict {
    const blame = isItsOwn(slot, outcome) ? 'message' : blameOf(outcome);
    if (isOverload(outcome) && !overloaded) flow.overload(); // once: the drain ends with it
    overloaded ||= isOverload(outcome);
    if (slot.parked !== null) {
      const nextAt = parking.failed(slot.parked, outcome, blame === 'message');
      mark();
      if (blame === 'message') {
        outcomes.failed(made, outcome, nextAt);
        return 'goes on';
      }
    }
    failedAttempts.set(made.position, made.attempt);
    if (blame === 'message') return suspect(slot, made, outcome, startedMono);
    outcomes.failing(made, outcome);
    return blame === 'gone' ? 'gone' : 'blocked';
  }

  /** It may be the message or the endpoint: what other records' requests do decides. */
  function suspect(
    slot: Outgoing,
    made: EndedAttempt,
    outcome: Failed,
    startedMono: number,
  ): FailureVerdict {
    const now = performance.now();
    outcomes.failed(made, outcome, null);
    if (!options.passes(slot.entry)) {
      slot.closed = true; // an edit removed it while it was in flight
      forget(slot);
      putBack(slot);
      sendReady();
      return 'goes on';
    }
    const verdict = suspects.failed(slot, recordOf(slot.entry), startedMono, now);
    slot.sent = false;
    if (verdict === 'wait') {
      unexplained.set(slot, { made, outcome });
      return 'goes on';
    }
    unexplained.delete(slot);
    park(slot, outcome);
    return parking.overflown ? 'parked' : 'goes on';
  }

  function cleared(slot: Outgoing, startedMono: number): void {
    if (slot.parked !== null && ordering === 'stream') return; // which never parks
    suspects.succeeded(slot, recordOf(slot.entry), startedMono, performance.now());
    unexplained.delete(slot);
  }

  /** Settles an entry as parked, and what follows of its record behind it. */
  function park(slot: Outgoing, outcome: Failed): void {
    parking.park(slot.entry, recordOf(slot.entry), slot.attempt, outcome);
    window.settle(slot);
    for (let next = lanes.settle(slot); next !== null; next = lanes.settle(next)) {
      parkUntried(next as Outgoing);
    }
    mark();
  }

  function parkUntried(slot: Outgoing): void {
    if (!slot.closed && !slot.entry.superseded) {
      parking.park(slot.entry, recordOf(slot.entry), failedAttempts.get(slot.position) ?? 0, null);
    }
    window.settle(slot);
  }

  function parksBehind(slot: Outgoing): boolean {
    if (parking.size === 0 || ordering !== 'record' || !parking.has(slot.lane)) return false;
    // One that was put back by hand must not let this one overtake those that are on their way.
    if (lanes.has(slot.lane)) return false;
    parkUntried(slot);
    mark();
    return true;
  }

  function tick(now: number): void {
    if (suspects.size > 0) for (const slot of suspects.due(now)) again(slot);
    if (reloads && !parking.unwritten) void reload();
    else if (parking.size > 0) void tryParked();
  }

  function forget(slot: Outgoing): void {
    suspects.forget(slot);
    unexplained.delete(slot);
  }

  function again(slot: Outgoing): void {
    if (stream === 'records') void reread(slot);
    else putBack(slot);
  }

  /** On the records stream a version that has moved meanwhile is not tried again. */
  async function reread(slot: Outgoing): Promise<void> {
    try {
      slot.entry.superseded = (await pages.entryAt(stream, slot.position)) === null;
    } catch (error) {
      log.warn({ err: error, consumer_id: consumerId }, 'a record could not be read again');
    }
    if (slot.entry.superseded) forget(slot);
    putBack(slot);
    sendReady();
  }

  async function tryParked(): Promise<void> {
    const due = parking.due();
    if (due.length === 0) return;
    try {
      const positions = due.map((one) => one.entry.position);
      const bodies = await store.bodies(consumerId, positions);
      for (const one of due) {
        if (parking.load(one, bodies.get(one.entry.position))) putBack(toSent(one));
        else mark();
      }
    } catch (error) {
      for (const one of due) parking.postpone(one, 1_000);
      log.warn({ err: error, consumer_id: consumerId }, 'parked entries could not be read');
    }
    sendReady();
  }

  async function reload(): Promise<void> {
    reloads = false;
    try {
      reloads = !parking.merge(await store.rows(consumerId));
      await tryParked();
    } catch (error) {
      reloads = true;
      log.warn({ err: error, consumer_id: consumerId }, 'parked entries could not be read');
    }
  }

  return {
    fail,
    cleared,
    blames: (nothingElse) => suspects.tooMany || (suspects.exhausted && nothingElse),
    parksBehind,
    tick,
    tryAgain: (slot) => {
      if (slot.parked === null) again(slot);
      else if (parking.lands(slot.parked)) putBack(slot);
    },
    forget: (slot) => {
      if (suspects.size > 0) forget(slot);
    },
    keepOnly: parking.keepOnly,
    closed: (slot) => {
      if (!unexplained.has(slot)) return;
      forget(slot); // it waits for its next try, so it would not come by
      putBack(slot);
    },
    reload,
    head: (now, paceMs) => {
      for (const { made, outcome } of unexplained.values()) outcomes.failing(made, outcome, true);
      return outcomes.failingHead(now, paceMs);
    },
    get suspected() {
      return suspects.size > 0;
    },
    get tooMany() {
      return suspects.tooMany;
    },
    parked: parking,
  };
}

/** Whether a parked entry is answered as it was when it proved to be the message's own fault. */
function isItsOwn({ parked }: Outgoing, outcome: Failed): boolean {
  return parked !== null && isSameAnswer(parked.failure, outcome);
}

/** A parked entry on its way; it does not pass through the window again. */
function toSent(parked: ParkedEntry): Outgoing {
  const { entry, record, attempts } = parked;
  const { position, messageId, body } = entry;
  const slot = { entry, settled: false, closed: false, sent: false, next: null, lane: record };
  return { ...slot, position, messageId, body, attempt: attempts + 1, parked };
}

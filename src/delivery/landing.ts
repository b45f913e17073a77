import type { Logger } from 'pino';

import { LEASE_ENDED } from '../egress/exchange.ts';
import type { FailureHandler } from '../failure/failureHandler.ts';
import { addWaits, type Outgoing } from '../failure/outgoing.ts';
import type { ParkedEntries } from '../failure/parkedEntries.ts';
import { isOver as isParkedOver } from '../failure/parkedEntry.ts';
import type { Dispatcher } from '../flow/dispatcher.ts';
import type { InFlightLimit } from '../flow/inFlightLimit.ts';
import type { Lanes } from '../flow/lanes.ts';
import type { SlidingWindow } from '../flow/slidingWindow.ts';
import type { AttemptLog } from '../progress/attemptLog.ts';
import { isOfBody, type Ours, type Outcome } from '../rules/outcome.ts';
import { CannotStart } from '../rules/startFault.ts';
import type { Entry } from '../streams/entry.ts';
import type { Ending } from './ending.ts';
import type { Outage } from './outage.ts';
import type { Reader } from './reader.ts';

/**
 * How long sending rests after a fault that is not the endpoint's, ms: at least a second, and the longer the fault has
 * lasted, so that thousands of senders do not knock at a proxy each second that is away for minutes.
 */
const REST_MS = { least: 1_000, most: 10_000, part: 1 / 4 };

const RESTS = "sending rests after a fault that is not the endpoint's";

/** The parts of a drain that the end of a request concerns. */
export interface LandingOptions {
  consumerId: string;
  slidingWindow: Pick<SlidingWindow<Entry>, 'settle'>;
  lanes: Pick<Lanes<Entry>, 'settle'>;
  dispatcher: Dispatcher<Outgoing>;
  limit: Pick<InFlightLimit, 'success'>;
  attempts: AttemptLog;
  failures: FailureHandler;
  parked: Pick<ParkedEntries, 'delivered'>;
  ending: Ending;
  outage: Outage;
  reader: Pick<Reader, 'fill'>;
  /** How long after the first failure a sender makes the retries itself, ms. */
  ownRetriesMs: number;
  /** How long a lasting fault that is not the endpoint's is waited for, ms: a proxy that restarts is soon back. */
  patienceMs: number;
  /** Called when there is something to store. */
  mark: () => void;
  log: Logger;
}

/** Handles requests that have ended: the entry settles, is tried again, or ends the drain. */
export interface Landing {
  /**
   * Handles the end of a request that started at `at` (unix ms; `startedMono` monotonic) and took `ms`. An
   * exception in it ends the drain, and reaches no caller.
   */
  ended(slot: Outgoing, outcome: Outcome, at: number, ms: number, startedMono: number): void;
  /** Whether a slot whose turn has come is not to be sent, because it has settled or this call settles it. */
  skips(slot: Outgoing): boolean;
  /** Ends the drain if the suspects count as a failure of the endpoint by now. */
  judge(): void;
  /**
   * Handles a fault that is not the endpoint's and blames nothing: sending pauses once `again` has had the entries of
   * the request tried again. The drain ends when it is a lasting fault that does not pass.
   */
  notTheEndpoints(again: () => void, outcome: Ours): void;
  /** Notes that something has reached the endpoint. */
  reached(): void;
  /** Goes on after a request whose outcome has been handled. */
  goOn(): void;
}

/** Creates the landing of one drain. */
export function createLanding(options: LandingOptions): Landing {
  const { slidingWindow, lanes, dispatcher, limit, attempts, failures, parked, ending } = options;
  const { outage } = options;
  let faultySince: number | null = null; // of a lasting fault, since nothing has reached the endpoint
  let restsUntil = 0; // so that a pause is logged once, however many requests were in flight

  function landed(
    slot: Outgoing,
    outcome: Outcome,
    at: number,
    ms: number,
    startedMono: number,
  ): void {
    dispatcher.landed();
    slot.body = '';
    addWaits(slot, outcome, startedMono);
    const { position, messageId, attempt } = slot;
    const ended = { position, messageId, attempt, startedAt: at, durationMs: ms };
    if (hasLeft(outcome)) reached();
    if (outcome.kind === 'delivered') {
      attempts.delivered(ended, outcome);
      limit.success();
      failures.succeeded(slot, startedMono);
      settle(slot);
      outage.delivered();
    } else if (outcome.kind === 'failed') {
      const verdict = failures.fail(slot, ended, outcome, startedMono);
      if (verdict === 'blocked' && ending.reason === null) outage.begin();
      else ending.judge(verdict);
      if (verdict === 'goes on') outage.untried();
    } else {
      notTheEndpoints(() => failures.tryAgain(slot), outcome);
    }
    goOn();
  }

  function reached(): void {
    faultySince = null;
  }

  function goOn(): void {
    dispatcher.passOn();
    judge();
    outage.settle();
    if (ending.reason === null) options.reader.fill();
    else ending.concludeWhenQuiet();
  }

  function notTheEndpoints(again: () => void, outcome: Ours): void {
    again();
    outage.untried();
    if (outcome === LEASE_ENDED) return; // no fault: the lease is over, or an edit has come first
    const { detail, lasting } = outcome;
    const now = performance.now();
    const fields = { consumer_id: options.consumerId, reason: detail };
    if (now >= restsUntil) options.log.warn(fields, RESTS);
    if (lasting !== undefined) faultySince ??= now;
    const faultyMs = now - (faultySince ?? now);
    restsUntil = now + Math.min(REST_MS.most, Math.max(REST_MS.least, REST_MS.part * faultyMs));
    dispatcher.rest(restsUntil);
    if (lasting === undefined || faultyMs < Math.min(options.patienceMs, options.ownRetriesMs))
      return;
    ending.cannotSend(new CannotStart(lasting, detail));
  }

  /** Settles an entry; the next entry of its lane may then be sent. */
  function settle(slot: Outgoing): void {
    options.mark();
    if (slot.parked !== null) {
      slot.settled = true;
      parked.delivered(slot.parked);
      return;
    }
    slidingWindow.settle(slot);
    const next = lanes.settle(slot) as Outgoing | null;
    if (next === null) return;
    next.readyAt = Math.trunc(performance.now());
    dispatcher.push(next);
  }

  function skips(slot: Outgoing): boolean {
    const isSkipped = isOver(slot);
    if (isSkipped) outage.skipped();
    return isSkipped;
  }

  /** Whether a slot is not to be sent; it settles if that is because of an edit or of a newer version. */
  function isOver(slot: Outgoing): boolean {
    if (slot.settled) return true;
    if (slot.closed || slot.entry.superseded) {
      failures.forget(slot);
      settle(slot);
      return true;
    }
    return slot.parked !== null && isParkedOver(slot.parked); // dropped while it waited for its turn
  }

  function judge(): void {
    if (!failures.suspected || outage.exists) return;
    if (ending.reason !== null || dispatcher.inFlight > 0) return;
    if (failures.blames(dispatcher.empty)) outage.begin();
  }

  return {
    ended: (slot, outcome, at, ms, startedMono) => {
      try {
        landed(slot, outcome, at, ms, startedMono);
      } catch (error) {
        ending.fail(error);
      }
    },
    skips,
    judge,
    notTheEndpoints,
    reached,
    goOn,
  };
}

/** Whether a request has left this machine, so that nothing here keeps the consumer from sending. */
export function hasLeft(outcome: Outcome): boolean {
  if (outcome.kind === 'failed') return !isOfBody(outcome);
  return outcome.kind === 'delivered';
}

import { withoutAnswer } from '../failure/failBatch.ts';
import type { FailureHandler } from '../failure/failureHandler.ts';
import { addWaits, type Outgoing } from '../failure/outgoing.ts';
import type { Cohorts } from '../flow/cohorts.ts';
import type { Dispatcher } from '../flow/dispatcher.ts';
import type { InFlightLimit } from '../flow/inFlightLimit.ts';
import type { Lanes } from '../flow/lanes.ts';
import type { SlidingWindow } from '../flow/slidingWindow.ts';
import type { AttemptLog, EndedAttempt } from '../progress/attemptLog.ts';
import { mayBeMessage, type Delivered, type Failed, type Outcome } from '../rules/outcome.ts';
import type { Entry } from '../streams/entry.ts';
import type { BatchMessage } from './batchMessage.ts';
import type { Ending } from './ending.ts';
import { hasLeft, type Landing } from './landing.ts';
import type { Outage } from './outage.ts';

/** The parts of a drain that the end of a request with several entries concerns. */
export interface BatchLandingOptions {
  /** The landing of single entries. */
  landing: Pick<Landing, 'ended' | 'notTheEndpoints' | 'reached' | 'goOn'>;
  cohorts: Cohorts<Outgoing>;
  slidingWindow: Pick<SlidingWindow<Entry>, 'settle'>;
  lanes: Pick<Lanes<Entry>, 'settle'>;
  dispatcher: Pick<Dispatcher<Outgoing>, 'landed' | 'push' | 'putBackAll'>;
  limit: Pick<InFlightLimit, 'success'>;
  attempts: Pick<AttemptLog, 'delivered'>;
  failures: Pick<FailureHandler, 'succeeded' | 'failBatch' | 'tryBatchAgain'>;
  ending: Pick<Ending, 'reason' | 'judge' | 'fail'>;
  outage: Pick<Outage, 'begin' | 'delivered'>;
  /** Called when there is something to store. */
  mark: () => void;
}

/** How a request has ended. Times are those of `Landing`. */
interface Ended {
  outcome: Outcome;
  at: number;
  ms: number;
  mono: number;
}

/**
 * Creates the landing of a drain that sends batches. What becomes of a batch becomes of each of its entries, in order. One that
 * is refused goes out again as two batches, and these as four, down to the entry at fault, which then fails alone and
 * is treated as any entry that fails.
 */
export function createBatchLanding(options: BatchLandingOptions): Pick<Landing, 'ended'> {
  const { landing, cohorts, dispatcher, failures, ending, outage } = options;

  function landed(batch: BatchMessage, how: Ended): void {
    const { members } = batch;
    const { outcome } = how;
    dispatcher.landed(members.length);
    addWaits(batch, outcome, how.mono);
    if (hasLeft(outcome)) landing.reached();
    if (outcome.kind === 'delivered') delivered(batch, outcome, how);
    else if (outcome.kind === 'failed') failed(batch, outcome, how);
    else {
      cohorts.form(members, members.length, how.mono); // the same batch once more
      landing.notTheEndpoints(() => failures.tryBatchAgain(members), outcome);
    }
    landing.goOn();
  }

  function delivered(batch: BatchMessage, outcome: Delivered, how: Ended): void {
    const others = withoutAnswer(outcome);
    for (const [index, ended] of attemptsAt(batch, how).entries())
      options.attempts.delivered(ended, index === 0 ? outcome : others);
    options.limit.success();
    for (const member of batch.members) failures.succeeded(member, how.mono);
    for (const member of batch.members) settle(member);
    outage.delivered();
  }

  function failed(batch: BatchMessage, outcome: Failed, how: Ended): void {
    const { members } = batch;
    // What certainly never reached the endpoint, or shall come later, comes as the same batch.
    const parts = mayBeMessage(outcome) ? 2 : 1;
    cohorts.form(members, Math.ceil(members.length / parts), how.mono);
    const verdict = failures.failBatch(members, attemptsAt(batch, how), outcome, how.mono);
    if (verdict === 'goes on') failures.tryBatchAgain(members);
    else if (verdict === 'blocked' && ending.reason === null) outage.begin();
    else ending.judge(verdict);
  }

  /** Settles an entry; the next one of its lane may then be sent, unless it came with the same request. */
  function settle(member: Outgoing): void {
    options.mark();
    options.slidingWindow.settle(member);
    const next = options.lanes.settle(member) as Outgoing | null;
    if (next === null || next.sent) return;
    next.readyAt = Math.trunc(performance.now());
    dispatcher.push(next);
  }

  /** An entry that has failed alone goes alone from then on. */
  function alone(only: Outgoing, { outcome, mono }: Ended): void {
    if (outcome.kind !== 'failed' || only.parked !== null) return;
    const before = cohorts.of(only);
    if (before?.most !== 1) cohorts.form([only], 1, before?.startedAt ?? mono);
  }

  return {
    ended: (message, outcome, at, ms, mono) => {
      const batch = message as BatchMessage;
      const [only, ...others] = batch.members as [Outgoing, ...Outgoing[]];
      const how = { outcome, at, ms, mono };
      try {
        if (others.length > 0) {
          landed(batch, how);
          return;
        }
        alone(only, how);
      } catch (error) {
        ending.fail(error);
        return;
      }
      landing.ended(only, outcome, at, ms, mono);
    },
  };
}

function attemptsAt({ members, messageId: id }: BatchMessage, { at, ms }: Ended): EndedAttempt[] {
  const sentWith = { id, size: members.length };
  return members.map(({ position, messageId, attempt }) => ({
    position,
    messageId,
    attempt,
    startedAt: at,
    durationMs: ms,
    sentWith,
  }));
}

import type { AttemptLog, EndedAttempt } from '../progress/attemptLog.ts';
import { blameOf, isOverload, isUnanswered, type Failed } from '../rules/outcome.ts';
import type { Doubt } from './doubt.ts';
import type { FailedBatches } from './failedBatches.ts';
import type { FailingEntries } from './failingEntries.ts';
import type { NewestSuccess } from './newestSuccess.ts';
import { firstOfLanes, type Outgoing } from './outgoing.ts';
import type { FailureVerdict } from './verdict.ts';

/** The parts of a failure handler that a failed batch concerns. */
export interface FailBatchOptions {
  attempts: Pick<AttemptLog, 'failed'>;
  batches: FailedBatches;
  doubt: Pick<Doubt<Outgoing>, 'ended'>;
  failing: Pick<FailingEntries, 'note'>;
  newestSuccess: Pick<NewestSuccess, 'isOfAnotherAfter'>;
  /** By position: how many attempts at an entry have failed, before and during this drain. */
  failedAttempts: Map<number, number>;
  /** Whether the endpoint is known to fail, so that each failure counts as one of the endpoint. */
  isOut: () => boolean;
  /** Halves the requests that may be in flight, once for all that were in flight together. */
  halve: (startedMono: number) => void;
}

/** Judges a failed request that carried several entries; it started at `startedMono` (monotonic ms). */
export type FailBatch = (
  members: readonly Outgoing[],
  attempts: readonly EndedAttempt[],
  outcome: Failed,
  startedMono: number,
) => FailureVerdict;

/**
 * Creates the judgement of failed batches. None of the entries becomes a suspect: `goes on` means that they are to be
 * sent again in smaller batches, which shows whose fault it is.
 */
export function createFailBatch(options: FailBatchOptions): FailBatch {
  const { batches, failing, failedAttempts } = options;
  return (members, attempts, outcome, startedMono) => {
    const own = blameOf(outcome);
    const blame = own === 'message' && options.isOut() ? 'endpoint' : own;
    if (isOverload(outcome)) options.halve(startedMono);
    options.doubt.ended(members[0] as Outgoing, true);
    for (const { position, attempt } of attempts) failedAttempts.set(position, attempt);
    const others = withoutAnswer(outcome);
    if (blame === 'message') {
      for (const [index, attempt] of attempts.entries())
        options.attempts.failed(attempt, index === 0 ? outcome : others, null);
      const { entry } = members[0] as Outgoing;
      const isContradicted =
        isUnanswered(outcome) && options.newestSuccess.isOfAnotherAfter(entry, startedMono);
      const endedAt = performance.now();
      if (!isContradicted)
        batches.note({ members, attempts, outcome, startedAt: startedMono, endedAt });
      return 'goes on';
    }
    const first = new Set(firstOfLanes(members)); // the others come after these in their lanes
    const isOut = options.isOut();
    for (const [index, member] of members.entries()) {
      const attempt = attempts[index] as EndedAttempt;
      // Of what is tried again while the endpoint fails, the head's attempts are enough.
      const handedOver = isOut && index > 0 && attempt.attempt > 1;
      const has = { handedOver, again: !first.has(member), withOthers: true };
      member.sent = false;
      failing.note(member, attempt, index === 0 ? outcome : others, has);
    }
    return blame === 'gone' ? 'gone' : 'blocked';
  };
}

/** Notes, once the endpoint counts as failing, the batches of which it was not known: the first open entry of each. */
export function handOverBatches(
  batches: Pick<FailedBatches, 'take'>,
  failing: Pick<FailingEntries, 'note'>,
): void {
  for (const { members, attempts, outcome } of batches.take()) {
    const index = members.findIndex(({ settled, closed }) => !settled && !closed);
    const [member, attempt] = [members[index], attempts[index]];
    if (member === undefined || attempt === undefined) continue;
    failing.note(member, attempt, outcome, { handedOver: true, again: true, withOthers: true });
  }
}

/** The outcome for the entries of a batch after the first: what came back is kept once. */
export function withoutAnswer<O extends { responseHead: string | null; trace?: unknown }>(
  outcome: O,
): Omit<O, 'trace'> & { responseHead: null } {
  const { trace: _, ...rest } = outcome;
  return { ...rest, responseHead: null };
}

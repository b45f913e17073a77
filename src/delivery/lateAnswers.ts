import type { Logger } from 'pino';

import type { Progress } from '../progress/progress.ts';
import { lateWaitMs, targetVersionOf, withLate } from '../rules/lateAnswer.ts';
import type { Failure } from '../rules/outcome.ts';
import type { SenderConfig } from './senderConfig.ts';
import type { Overdue } from './singleSender.ts';

/** A request that timed out, and the failure that is stored for it. */
export interface Awaited {
  consumerId: string;
  /** The epoch of the sender that stored the failure. */
  epoch: number;
  target: SenderConfig['target'];
  failure: Failure;
  overdue: Overdue;
  /** Milliseconds until the next attempt; null: none follows. */
  nextInMs: number | null;
}

/** Awaits answers that come after their requests have timed out, beside everything else. */
export interface LateAnswers {
  /**
   * Awaits an answer and adds it to the stored failure, unless another sender has taken the cursor by then. It
   * waits for twice the timeout, but not beyond the next attempt.
   */
  await(awaited: Awaited): void;
  /** Ends the awaited request of this consumer, because the next one is about to start. */
  cut(consumerId: string): void;
  /** Ends all of them. */
  close(): void;
}

/** The request ends this long before the next attempt is due, ms. */
const BEFORE_NEXT_MS = 200;

/** Creates the late answers of a process. */
export function createLateAnswers(options: {
  progress: Pick<Progress, 'amendFailure'>;
  log: Pick<Logger, 'warn'>;
}): LateAnswers {
  const { progress, log } = options;
  const open = new Map<string, () => void>();

  function cut(consumerId: string): void {
    open.get(consumerId)?.();
    open.delete(consumerId);
  }

  async function watch(awaited: Awaited): Promise<void> {
    const { consumerId, epoch, target, failure, overdue } = awaited;
    const wholeMs = lateWaitMs(target.timeoutMs);
    const untilNextMs = Math.max(0, (awaited.nextInMs ?? 0) - BEFORE_NEXT_MS);
    const forMs = Math.min(wholeMs, untilNextMs);
    let isWhole = false;
    const timer = setTimeout(() => {
      isWhole = forMs === wholeMs;
      overdue.cut();
    }, forMs);
    open.set(consumerId, overdue.cut);
    const answer = await overdue.answer;
    clearTimeout(timer);
    if (open.get(consumerId) === overdue.cut) open.delete(consumerId);
    const late = answer && {
      status: answer.status,
      after_ms: Math.round(answer.afterMs),
      target: targetVersionOf(target),
    };
    if (late === null && !(isWhole && failure.late !== undefined)) return; // there is nothing new to store
    await progress.amendFailure({ consumerId, epoch, failure: withLate(failure, late) });
  }

  return {
    await: (awaited) => {
      cut(awaited.consumerId);
      watch(awaited).catch((error: unknown) => {
        log.warn({ err: error, consumer_id: awaited.consumerId }, 'a late response was not stored');
      });
    },
    cut,
    close: () => {
      for (const consumerId of open.keys()) cut(consumerId);
    },
  };
}

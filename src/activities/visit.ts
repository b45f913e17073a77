import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';

import type { Lane } from '../visits/lane.ts';
import type { VisitInput, Visited } from './contract.ts';

export interface VisitDeps {
  /** Opens the lane of this number in this process. */
  openLane: (lane: number) => Lane;
  /** The lanes that are open in this process. */
  lanes: Set<Lane>;
}

const BEAT_MS = 6_000;
/**
 * A lane ends after this long, so that new code gets its turn, and another one takes its place. Lanes that
 * began together do not end together, so that the others can claim the consumers that one of them releases.
 */
const TIME_BUDGET_MS = { least: 2_700_000, most: 3_600_000 };

/**
 * How often, and with which pause, a process that has a lane leaves another one to other workers: otherwise,
 * after a deployment of one worker after another, all lanes would run on the one that was replaced first. After
 * that it takes the lane all the same.
 */
const LEFT_TO_OTHERS = { tries: 3, pause: '3s' } as const;

/**
 * Delivers for many quiet consumers until the activity is cancelled, its process ends, or about an hour has
 * passed. The figures of the lane are in its heartbeats, which the Temporal UI shows.
 */
export async function visit({ openLane, lanes }: VisitDeps, input: VisitInput): Promise<Visited> {
  const activity = Context.current();
  if (lanes.size > 0 && activity.info.attempt <= LEFT_TO_OTHERS.tries) {
    throw ApplicationFailure.create({
      message: 'this worker has a lane of visits; the lane is left to another worker for a moment',
      category: 'BENIGN',
      nextRetryDelay: LEFT_TO_OTHERS.pause,
    });
  }
  const { lane: number, endsWithinMs = TIME_BUDGET_MS.most } = input;
  const lane = openLane(number);
  lanes.add(lane);
  const beat = setInterval(() => activity.heartbeat({ lane: number, ...lane.reading }), BEAT_MS);
  try {
    await untilOver(activity.cancellationSignal, endsWithinMs);
    await lane.close();
    return { lane: number, ...lane.reading };
  } finally {
    lanes.delete(lane);
    clearInterval(beat);
  }
}

function untilOver(cancelled: AbortSignal, endsWithinMs: number): Promise<void> {
  return new Promise((resolve) => {
    const { least, most } = TIME_BUDGET_MS;
    const timer = setTimeout(over, Math.min(endsWithinMs, least + Math.random() * (most - least)));
    function over(): void {
      clearTimeout(timer);
      cancelled.removeEventListener('abort', over);
      resolve();
    }
    cancelled.addEventListener('abort', over);
    if (cancelled.aborted) over();
  });
}

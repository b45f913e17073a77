import { Context } from '@temporalio/activity';

import type { Lane } from '../visits/lane.ts';
import type { VisitInput, Visited } from './contract.ts';

export interface VisitDeps {
  /** Opens the lane of this number in this process. */
  openLane: (lane: number) => Lane;
}

const BEAT_MS = 6_000;
/** A lane ends after this long, so that new code gets its turn; another takes its place. */
const TIME_BUDGET_MS = 3_600_000;

/**
 * Delivers for many quiet consumers until the activity is cancelled, its process ends, or an hour is over.
 * What the lane has done goes into its heartbeats, which the Temporal UI shows.
 */
export async function visit({ openLane }: VisitDeps, input: VisitInput): Promise<Visited> {
  const activity = Context.current();
  const lane = openLane(input.lane);
  const beat = setInterval(() => activity.heartbeat({ ...input, ...lane.reading }), BEAT_MS);
  try {
    await untilOver(activity.cancellationSignal);
    await lane.close();
    return { ...input, ...lane.reading };
  } finally {
    clearInterval(beat);
  }
}

function untilOver(cancelled: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(over, TIME_BUDGET_MS);
    function over(): void {
      clearTimeout(timer);
      cancelled.removeEventListener('abort', over);
      resolve();
    }
    cancelled.addEventListener('abort', over);
    if (cancelled.aborted) over();
  });
}

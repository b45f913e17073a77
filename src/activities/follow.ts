import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';

import { followSource, Interrupted, type FollowSourceDeps } from '../sources/followSource.ts';
import type { Seen } from '../sources/sourceLeases.ts';
import type { FollowEnded, FollowInput } from './contract.ts';

export interface FollowDeps {
  /** Null: this process follows no sources. */
  follows: FollowSourceDeps | null;
}

const BEAT_MS = 5_000;
/** It ends after this long, so that new code gets its turn; not all of them at the same time. */
const TIME_BUDGET_MS = { least: 2_700_000, most: 3_600_000 };

/**
 * Follows a source until it is paused, fails or is deleted, the activity is cancelled, its process ends, or about an hour
 * has passed. What keeps it from that for a while fails the attempt, and Temporal makes the next one. How far the log is
 * stored is in its heartbeats, which the Temporal UI shows.
 */
export async function follow({ follows }: FollowDeps, input: FollowInput): Promise<FollowEnded> {
  if (follows === null) throw new Error('this process follows no sources');
  const activity = Context.current();
  const { least, most } = TIME_BUDGET_MS;
  const budget = AbortSignal.timeout(Math.round(least + Math.random() * (most - least)));
  const stop = AbortSignal.any([activity.cancellationSignal, budget]);
  let shown = {};
  const beat = setInterval(() => activity.heartbeat(shown), BEAT_MS);
  const onSeen = ({ lsn, measured }: Seen): void => {
    if (measured !== null) shown = { lsn, lag_bytes: measured.lagBytes, lag_ms: measured.lagMs };
  };
  try {
    return { reason: await followSource(follows, input.sourceId, stop, onSeen) };
  } catch (error) {
    throw error instanceof Interrupted ? toFailure(error) : error;
  } finally {
    clearInterval(beat);
  }
}

function toFailure({ message, againMs }: Interrupted): ApplicationFailure {
  return ApplicationFailure.create({
    message,
    category: 'BENIGN', // the row of the source says it
    ...(againMs === null ? {} : { nextRetryDelay: Math.max(1, Math.ceil(againMs)) }),
  });
}

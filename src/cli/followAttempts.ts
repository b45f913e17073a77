import { setTimeout as wait } from 'node:timers/promises';

import { ClientError } from '../api/client.ts';
import type { Attempt } from '../schema/attempt.ts';
import { apiNow } from './apiClock.ts';
import type { Context } from './context.ts';
import { EXIT } from './exit.ts';
import { durationOf } from './values.ts';

/** What to follow, and what to call. */
export interface FollowAttemptsOptions {
  /** The consumer. */
  id: string;
  /** The filters of the API. */
  filter: Record<string, string | number>;
  /** A time, or `1h` before now; from now on if it is undefined. */
  since: string | undefined;
  /** Awaited before the next attempt is handed over. */
  onAttempt: (one: Attempt) => Promise<void>;
}

const WAIT_MS = 10_000;
const AGAIN_MS = 1_000;
const MOST = 1_000;

/**
 * Hands over attempts as they end, oldest first, until Ctrl-C. It follows the times at which they ended, so
 * that slow ones come as well. Rejects when the API does not answer at first; later it waits for the API.
 */
export async function followAttempts(
  { client, out, signal }: Context,
  { id, filter, since, onAttempt }: FollowAttemptsOptions,
): Promise<number> {
  const query = { ...filter, since: '', wait_for: WAIT_MS, limit: MOST };
  let hasAnswered = false;
  let isAway = false;
  let hasSaid = false;
  const unlessLasting = (error: unknown): ClientError => {
    if (hasAnswered && !signal.aborted && isPassing(error)) return error;
    throw error;
  };
  try {
    query.since = await timeOf(client, since);
    for (;;) {
      const page = await client.consumers.attempts(id, query).catch(unlessLasting);
      if (page instanceof ClientError) {
        if (!isAway) out.note(`Connection lost, reconnecting: ${page.detail}`);
        isAway = true;
        await wait(AGAIN_MS, undefined, { signal });
        continue;
      }
      if (isAway) out.note('Reconnected');
      isAway = false;
      hasAnswered = true;
      if (page.next_cursor !== null && !hasSaid) {
        out.note(`More attempts end than are shown: of each look only the newest ${MOST} are`);
        hasSaid = true;
      }
      for (const one of page.data.toReversed()) await onAttempt(one);
      if (page.data.length > 0) query.since = afterAll(page.data);
    }
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted;
    throw error;
  }
}

/** Whether an error may pass by itself: no answer, a restart, too many requests. */
function isPassing(error: unknown): error is ClientError {
  return (
    error instanceof ClientError &&
    (error.status === 0 || error.status >= 500 || error.status === 429)
  );
}

/** A time as RFC 3339; it stays the same however often it is used in a request. */
async function timeOf(client: Context['client'], since: string | undefined): Promise<string> {
  const agoMs = durationOf(since ?? '0s');
  return agoMs === null ? since! : new Date((await apiNow(client)) - agoMs).toISOString();
}

function afterAll(attempts: readonly Attempt[]): string {
  return new Date(Math.max(...attempts.map(endOf)) + 1).toISOString();
}

function endOf({ started_at, duration_ms }: Attempt): number {
  return Date.parse(started_at) + duration_ms;
}

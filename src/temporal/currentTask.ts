import type { Context } from '@temporalio/activity';
import { ActivityNotFoundError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';

/** A task that has reached this share of the heartbeat timeout may have been given up. */
const OLD = 1 / 2;

/**
 * Keeps a process from beginning an activity that Temporal has given up already: a process that was frozen gets
 * a task for each long poll that it had open, and would begin them all when it wakes. By then another process
 * has the task, and a sender that begins here would take its lease. Temporal is asked only about old tasks.
 */
export function createCurrentTaskInterceptor(now: () => number): ActivityInterceptorsFactory {
  return (context) => ({
    inbound: {
      execute: async (input, next) => {
        if (isOld(context, now()) && (await isGivenUp(context))) {
          throw ApplicationFailure.create({
            type: 'GIVEN_UP',
            message: 'Temporal had given up this attempt before it began here',
            category: 'BENIGN',
          });
        }
        return next(input);
      },
    },
  });
}

/** It is known how long the task has been in a queue, but not when it was given to this process. */
function isOld({ info }: Context, now: number): boolean {
  const timeoutMs = info.heartbeatTimeoutMs ?? Infinity;
  return now - info.currentAttemptScheduledTimestampMs > timeoutMs * OLD;
}

/**
 * Whether Temporal says that it has given up the task; while Temporal can't be asked, leases and fences keep
 * senders apart.
 */
async function isGivenUp({ client, info, log }: Context): Promise<boolean> {
  try {
    await client.activity.heartbeat(info.taskToken);
    return false;
  } catch (error) {
    if (error instanceof ActivityNotFoundError) return true;
    log.debug('Temporal could not be asked whether an attempt is current', { error });
    return false;
  }
}

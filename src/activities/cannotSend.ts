import { ApplicationFailure } from '@temporalio/common';
import type { Logger } from 'pino';

import type { StartFaults } from '../consumers/startFaults.ts';
import { startFaultOf } from '../delivery/startFault.ts';
import type { Lease } from '../progress/lease.ts';
import type { CannotStartNow, DrainInput } from './contract.ts';

/** What an activity needs to note a fault that keeps a consumer from sending. */
export interface CannotSendDeps {
  faults: StartFaults;
  log: Pick<Logger, 'error' | 'warn' | 'info'>;
  /** Called when there may be a mail to send. */
  mailWaits: () => void;
}

/** A sender that failed with an error. */
export interface Failed {
  error: unknown;
  /** The cursor as it was when it was taken; null: it was not. */
  lease: Lease | null;
  /** Whether sending had begun. */
  isCrash: boolean;
}

/**
 * Notes a lasting fault that is not the endpoint's, and returns what the workflow has to know about it; null
 * when the consumer is not to send any more. Rethrows an error that will pass by itself. For an older workflow
 * it throws a failure with the delay that Temporal is to wait.
 */
export async function cannotSend(
  deps: CannotSendDeps,
  { consumerId, waits }: DrainInput,
  { error, lease, isCrash }: Failed,
): Promise<Required<CannotStartNow> | null> {
  const fault = startFaultOf(error);
  if (fault === null) throw error;
  const noted = await deps.faults.note({
    consumerId,
    fault,
    isCrash,
    target: lease?.target ?? null,
  });
  if (noted === null) return null;
  deps.mailWaits();
  if (noted.isNew) {
    const fields = { err: error, consumer_id: consumerId, code: fault.code };
    deps.log.error(fields, `a consumer can't send: ${fault.detail}`);
  }
  if (waits === true) return { cannotStart: fault.detail, againInMs: noted.againInMs };
  throw ApplicationFailure.create({
    type: 'CANNOT_START',
    message: fault.detail,
    category: 'BENIGN', // it has been noted and logged already
    nextRetryDelay: noted.againInMs,
  });
}

/** Notes that a consumer sends again, if a fault was noted before; false when that could not be noted. */
export async function sendsAgain(
  { faults, log, mailWaits }: CannotSendDeps,
  consumerId: string,
  lease: Lease | null,
): Promise<boolean> {
  if (lease === null || lease.faulted === null) return true;
  try {
    await faults.clear(consumerId);
  } catch (error) {
    const fields = { err: error, consumer_id: consumerId };
    log.warn(fields, 'a consumer can send again, but that could not be stored');
    return false;
  }
  log.info({ consumer_id: consumerId }, 'a consumer can send again');
  mailWaits();
  return true;
}

import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';

import type { DeliverFailure } from '../activities/contract.ts';

/** Whether a `deliver` failed with the last attempt that fits into the window. */
export function wasFinal(error: unknown): boolean {
  if (!(error instanceof ActivityFailure) || !(error.cause instanceof ApplicationFailure))
    return false;
  const [failure] = (error.cause.details ?? []) as DeliverFailure[];
  return failure?.final === true;
}

import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';

import type { DeliverFailure } from '../activities/contract.ts';

/** Whether the failed `deliver` was an attempt in the last minute of the window. */
export function wasFinal(error: unknown): boolean {
  if (!(error instanceof ActivityFailure) || !(error.cause instanceof ApplicationFailure))
    return false;
  const [failure] = (error.cause.details ?? []) as DeliverFailure[];
  return failure?.final === true;
}

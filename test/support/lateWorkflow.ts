/** A workflow with one activity, which Temporal gives up when it has not beaten for some seconds. */
import { proxyActivities } from '@temporalio/workflow';

export interface LateActivities {
  /** Returns the attempt that has been made. */
  attempt(): Promise<number>;
}

export async function late(): Promise<number> {
  const { attempt } = proxyActivities<LateActivities>({
    startToCloseTimeout: '1m',
    heartbeatTimeout: '6s',
    retry: { initialInterval: '100ms' },
  });
  return attempt();
}

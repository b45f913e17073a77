import { WorkflowNotFoundError, type Client } from '@temporalio/client';

import type { visits, VisitsArgs } from '../workflows/visits.ts';

/** The workflow that keeps the lanes of one region running. */
export interface VisitsOf {
  client: Client;
  taskQueue: string;
  deliveryQueue: string;
  /** How many lanes the region has; 0: there are none. */
  lanes: number;
}

const START_MS = 5_000;

/** Starts the workflow unless it runs, and sets how many lanes there are. */
export async function startVisits(options: VisitsOf): Promise<void> {
  const { client, taskQueue, deliveryQueue, lanes } = options;
  const workflowId = visitsIdOf(deliveryQueue);
  await client.withDeadline(Date.now() + START_MS, async () => {
    if (lanes === 0) {
      await endLanes(client, workflowId);
      return;
    }
    await client.workflow.signalWithStart<typeof visits, [number]>('visits', {
      workflowId,
      taskQueue,
      args: [{ deliveryQueue, lanes } satisfies VisitsArgs],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      staticSummary: `Visits of ${deliveryQueue}`,
      signal: 'lanes',
      signalArgs: [lanes],
    });
  });
}

/** Ends the lanes of an installation that used to have some. */
async function endLanes(client: Client, workflowId: string): Promise<void> {
  try {
    await client.workflow.getHandle(workflowId).signal<[number]>('lanes', 0);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}

/** The id of the workflow that keeps the lanes of a region running. */
export function visitsIdOf(deliveryQueue: string): string {
  return `visits/${deliveryQueue}`;
}

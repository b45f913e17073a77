import type { Client, WorkflowExecutionInfo } from '@temporalio/client';

import { concurrently } from '../../src/process/concurrently.ts';

const DESCRIBED_AT_ONCE = 32;

/** The number of events in the histories of all workflows of the namespace, including those that have ended. */
export async function countHistory(temporal: Client): Promise<number> {
  const running: WorkflowExecutionInfo[] = [];
  let events = 0;
  for await (const one of temporal.workflow.list()) {
    // A list contains the length only of histories that have ended.
    if (one.status.name === 'RUNNING') running.push(one);
    else events += one.historyLength;
  }
  await concurrently(running, DESCRIBED_AT_ONCE, async ({ workflowId, runId }) => {
    const { historyLength } = await temporal.workflow.getHandle(workflowId, runId).describe();
    events += historyLength;
  });
  return events;
}

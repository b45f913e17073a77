import {
  allHandlersFinished,
  condition,
  continueAsNew,
  isCancellation,
  log,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';

import type { DeliveryActivities } from '../activities/contract.ts';
import { lanesOf } from './messages.ts';

/** The arguments of the workflow that keeps the lanes of a region running. */
export interface VisitsArgs {
  /** The task queue of the region. */
  deliveryQueue: string;
  /** How many lanes to keep running. */
  lanes: number;
}

const DAY_MS = 86_400_000;
const FAILED_MS = 5_000;

/**
 * Keeps the lanes of visits of one region running, for as long as the installation exists. A lane delivers
 * for many quiet consumers; when its worker dies, Temporal starts it on another one. The signal `lanes`
 * changes how many there are: one more begins immediately, one less ends within an hour.
 */
export async function visits(args: VisitsArgs): Promise<void> {
  let { lanes } = args;
  let running = 0;
  const kept = new Set<number>();
  setHandler(lanesOf, (next) => {
    lanes = next;
  });
  const { visit } = proxyActivities<DeliveryActivities>({
    taskQueue: args.deliveryQueue,
    startToCloseTimeout: '2h',
    heartbeatTimeout: '15s',
    retry: { initialInterval: '500ms', maximumInterval: '5s' },
  });

  async function keep(lane: number): Promise<void> {
    kept.add(lane);
    running += 1;
    try {
      while (lane < lanes && !isRunLong()) await visit({ lane });
    } catch (error) {
      if (isCancellation(error)) return;
      log.warn('a lane of visits has failed; it is started again', { error, lane });
      await sleep(FAILED_MS);
    } finally {
      kept.delete(lane);
      running -= 1;
    }
  }

  while (!isRunLong()) {
    setCurrentDetails(detailsOf(args.deliveryQueue, lanes));
    for (let lane = 0; lane < lanes; lane += 1) if (!kept.has(lane)) void keep(lane);
    await condition(() => isRunLong() || kept.size < lanes);
  }
  await condition(() => running === 0 && allHandlersFinished());
  await continueAsNew<typeof visits>({ ...args, lanes });
}

function detailsOf(queue: string, lanes: number): string {
  return [
    `**${lanes} ${lanes === 1 ? 'lane delivers' : 'lanes deliver'} for the quiet consumers of ${queue}**`,
    '',
    '- Each pending activity is a lane; the details of its heartbeat say how many consumers it visits.',
    '- A consumer that stays busy or fails is handed over to its own workflow.',
  ].join('\n');
}

/** Whether the history has become long, or the run is older than a day. */
function isRunLong(): boolean {
  const { continueAsNewSuggested, runStartTime } = workflowInfo();
  return continueAsNewSuggested || Date.now() - runStartTime.getTime() > DAY_MS;
}

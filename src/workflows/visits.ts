import {
  ActivityFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  isCancellation,
  log,
  patched,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';

import type { DeliveryActivities, Visited } from '../activities/contract.ts';
import { lanesOf } from './messages.ts';
import { visitsDetails } from './visitsDetails.ts';

/** The arguments of the workflow that keeps the lanes of a region running. */
export interface VisitsArgs {
  /** The task queue of the region. */
  deliveryQueue: string;
  /** How many lanes to keep running. */
  lanes: number;
}

const DAY_MS = 86_400_000;
/** A lane ends by itself within this time of its start (src/activities/visit.ts). */
const LANE_MS = 3_600_000;
const FAILED_MS = 5_000;
const MOST_LANES = 99;

/**
 * Keeps the lanes of visits of one region running, for as long as the installation exists. A lane delivers
 * for many quiet consumers; when its worker dies, Temporal starts it on another one. The signal `lanes`
 * changes how many there are: one more begins immediately, one less ends within an hour. Each day, or once the
 * history has become long, another run of the workflow takes over: all lanes end together just before, so that
 * none is missing for longer than that takes.
 */
export async function visits(args: VisitsArgs): Promise<void> {
  let { lanes } = args;
  const kept = new Set<number>();
  const ended = { lanes: 0, visits: 0, handedOver: 0 };
  const seen = { failure: null as string | null, note: null as string | null };
  const { runStartTime: since } = workflowInfo();
  let endsAt = since.getTime() + DAY_MS;
  let isLong = false;
  setHandler(lanesOf, setLanes, {
    description: `Sets how many lanes there are, 0 to ${MOST_LANES}, until the leader sets it again.`,
  });

  function setLanes(next: unknown): void {
    const isNumber = typeof next === 'number' && Number.isInteger(next);
    const isLanes = isNumber && next >= 0 && next <= MOST_LANES;
    if (isLanes) lanes = next;
    seen.note = isLanes
      ? null
      : `The signal lanes had no effect: its argument must be a number from 0 to ${MOST_LANES}`;
    show();
  }

  /** Shows what is known; this writes no history. */
  function show(): void {
    const { deliveryQueue } = args;
    const running = kept.size;
    setCurrentDetails(visitsDetails({ deliveryQueue, lanes, running, since, ended, ...seen }));
  }

  async function keep(lane: number): Promise<void> {
    const { visit } = proxyActivities<DeliveryActivities>({
      taskQueue: args.deliveryQueue,
      startToCloseTimeout: '2h',
      heartbeatTimeout: '15s',
      retry: { initialInterval: '500ms', maximumInterval: '5s' },
      summary: `lane ${lane}`,
    });
    kept.add(lane);
    try {
      while (lane < lanes && !isOver()) {
        const leftMs = endsAt - Date.now();
        count(await visit(leftMs < LANE_MS ? { lane, endsWithinMs: leftMs } : { lane }));
        noticeLength();
      }
    } catch (error) {
      if (isCancellation(error)) return;
      log.warn('a lane of visits has failed; it is started again', { error, lane });
      seen.failure = `Lane ${lane} failed at ${new Date().toISOString()} and was started again: ${reasonOf(error)}`;
      show();
      await sleep(FAILED_MS, { summary: `until lane ${lane} is started again` });
    } finally {
      kept.delete(lane);
      show();
    }
  }

  function count(done: Visited): void {
    ended.lanes += 1;
    ended.visits += done.visits;
    ended.handedOver += done.handedOver;
    show();
  }

  /** A history that has become long ends the run an hour later: all lanes begin once more until then. */
  function noticeLength(): void {
    if (isLong || !workflowInfo().continueAsNewSuggested) return;
    isLong = true;
    const lastsMs = patched('lanes-end-together') ? LANE_MS : 0;
    endsAt = Math.min(endsAt, Date.now() + lastsMs);
  }

  function isOver(): boolean {
    return Date.now() >= endsAt;
  }

  while (!isOver()) {
    for (let lane = 0; lane < lanes; lane += 1) if (!kept.has(lane)) void keep(lane);
    show();
    await condition(() => isOver() || kept.size < lanes);
    noticeLength();
  }
  await condition(() => kept.size === 0 && allHandlersFinished());
  await continueAsNew<typeof visits>({ ...args, lanes });
}

/** The message of a failed activity about its failure. */
function reasonOf(error: unknown): string {
  const cause = error instanceof ActivityFailure ? (error.cause ?? error) : error;
  return cause instanceof Error ? cause.message : 'unknown';
}

import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';

import type { ControlActivities } from '../activities/contract.ts';
import type { StopReason } from '../consumers/lifecycle.ts';
import type { CommandRequest } from '../rules/command.ts';

/** The control activities for one consumer. */
export type Control = ReturnType<typeof openControl>;

/**
 * Opens the control activities for one consumer, which get the workflow's time. Each returns the
 * activity's own promise: when a sender ends at the same time, how soon each result is seen decides
 * what is done first.
 */
export function openControl(consumerId: string) {
  const activities = proxyActivities<ControlActivities>({
    startToCloseTimeout: '30s',
    retry: { initialInterval: '250ms', maximumInterval: '5s' },
  });
  const withinTask = proxyLocalActivities<ControlActivities>({
    startToCloseTimeout: '5s',
    retry: { maximumAttempts: 1 },
  });

  /** Loads within the current workflow task, which costs Temporal least; if that fails, as an activity. */
  async function loadSoon(): ReturnType<ControlActivities['load']> {
    try {
      return await withinTask.load({ consumerId });
    } catch {
      return activities.load({ consumerId }); // it is repeated until Postgres is back
    }
  }

  return {
    load: () => activities.load({ consumerId }),
    loadSoon,
    look: () => activities.look({ consumerId }),
    apply: (request: CommandRequest) => activities.apply({ consumerId, ask: request, at: time() }),
    hold: () => activities.hold({ consumerId }),
    block: (reason: string) => activities.block({ consumerId, reason, at: time() }),
    unblock: (success: boolean) => activities.unblock({ consumerId, at: time(), success }),
    warn: () => activities.warn({ consumerId, at: time() }),
    stop: (why: StopReason) => activities.stop({ consumerId, at: time(), why }),
    hasHead: () => activities.hasHead({ consumerId }),
  };
}

/** The workflow's time, which follows time skipping, as RFC 3339. */
function time(): string {
  return new Date(Date.now()).toISOString();
}

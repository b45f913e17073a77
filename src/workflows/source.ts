import {
  condition,
  continueAsNew,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';

import type { DeliveryActivities, FollowEnded } from '../activities/contract.ts';
import { look } from './messages.ts';

/** The arguments of the workflow of a source. */
export interface SourceArgs {
  sourceId: string;
  /** The task queue of its region. */
  deliveryQueue: string;
  /** What people call it, as it was when the workflow was started. */
  name: string;
}

/**
 * Keeps a source followed for as long as it exists: when its worker dies, Temporal starts the activity on another one.
 * While the source is paused or has failed it waits for the signal `look`, by which the leader says that it is to be
 * followed again. Everything else is in the row of the source.
 */
export async function source(args: SourceArgs): Promise<void> {
  const { sourceId, deliveryQueue, name } = args;
  let looks = 0;
  setHandler(
    look,
    () => {
      looks += 1;
    },
    { description: 'Looks whether the source is to be followed; without effect while it is.' },
  );
  const { follow } = proxyActivities<DeliveryActivities>({
    taskQueue: deliveryQueue,
    startToCloseTimeout: '2h',
    heartbeatTimeout: '15s',
    retry: { initialInterval: '500ms', maximumInterval: '10s' },
    summary: `follow ${name}`.slice(0, SUMMARY_CHARACTERS),
  });
  for (;;) {
    const seen = looks; // a look that comes while it ends counts for what follows
    show(name, null);
    const { reason } = await follow({ sourceId });
    if (reason === 'gone') return;
    show(name, reason);
    if (reason !== 'stopped') await condition(() => looks > seen);
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof source>(args);
  }
}

/** Temporal takes 400 bytes, and a character has up to four. */
const SUMMARY_CHARACTERS = 100;

const RESTING: Record<Exclude<FollowEnded['reason'], 'gone'>, string> = {
  paused: 'is paused. It goes on when it is resumed',
  failed: 'has failed: its page in the console says why, and what to do',
  stopped: 'is being moved to another worker',
};

/** Shows what is known; this writes no history. */
function show(name: string, reason: Exclude<FollowEnded['reason'], 'gone'> | null): void {
  const words =
    reason === null
      ? 'is followed by the activity `follow`. The details of its heartbeat say how far its log is stored (`lsn`), and how far it is behind (`lag_bytes`, `lag_ms`)'
      : RESTING[reason];
  setCurrentDetails(`**${name}** ${words}`);
}

import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';

import { CHANNELS } from '../db/channels.ts';
import type { Sql } from '../db/db.ts';
import type { Listener } from '../db/listener.ts';
import { createInterruptions } from '../process/interruptions.ts';
import { createLoop } from '../process/loop.ts';
import { unfollowedSources, type Unfollowed } from '../sources/sourceLeases.ts';
import type { PacedQueue } from '../wake/pacedQueue.ts';
import type { source, SourceArgs } from '../workflows/source.ts';

export interface SourceKeeperOptions {
  db: Sql;
  client: Client;
  /** The task queue of the workflows. */
  taskQueue: string;
  /** The task queue on which the sources of a region are followed. */
  deliveryQueueOf: (region: string) => string;
  listener: Pick<Listener, 'on'>;
  queue: Pick<PacedQueue, 'put' | 'has' | 'drop'>;
  /** Whether this process is the leader. */
  leads: () => boolean;
  log: Pick<Logger, 'warn'>;
}

const POLL_MS = 5_000;
const READ = 500;
const START_MS = 5_000;
/**
 * After a signal it is not sent again for so long, and then for twice as long each time: where no worker follows a source,
 * its workflow has a signal that waits, and its history must not grow.
 */
const AGAIN_MS = { first: 10_000, most: 1_800_000 };

/**
 * Sees to it that every source which is to be followed is: while this process is the leader, the workflow of each one
 * that nobody follows gets the signal `look`, and is started if it does not run. So a workflow that has died is started
 * again, and a hint that was lost costs seconds.
 */
export function startSourceKeeper(options: SourceKeeperOptions): {
  /** Stops; resolves when the last look has ended. */
  close(): Promise<void>;
} {
  const { db, listener, queue, leads } = options;
  const signalled = new Map<string, { at: number; waitMs: number }>();
  const interruptions = createInterruptions(
    options.log,
    'looking after sources was interrupted; trying again',
  );
  const loop = createLoop({ turn: look, failed: interruptions.note });
  const unlisten = listener.on(CHANNELS.sources, (id) => {
    if (id !== null) signalled.delete(id);
    loop.ask();
  });
  const timer = setInterval(loop.ask, POLL_MS);

  async function look(): Promise<void> {
    if (!leads()) {
      queue.drop((key) => key.startsWith(KEY));
      signalled.clear();
      return;
    }
    const unfollowed = await unfollowedSources(db, READ);
    interruptions.over();
    const ids = new Set(unfollowed.map(({ id }) => id));
    for (const id of signalled.keys()) if (!ids.has(id)) signalled.delete(id);
    const now = performance.now();
    for (const one of unfollowed) {
      const last = signalled.get(one.id);
      if (queue.has(KEY + one.id) || (last !== undefined && now < last.at + last.waitMs)) continue;
      queue.put({ key: KEY + one.id, isRepetition: last !== undefined, act: () => signal(one) });
    }
  }

  async function signal(one: Unfollowed): Promise<void> {
    await signalSource(options, one);
    const last = signalled.get(one.id);
    const waitMs = last === undefined ? AGAIN_MS.first : Math.min(2 * last.waitMs, AGAIN_MS.most);
    signalled.set(one.id, { at: performance.now(), waitMs });
  }

  return {
    close: async () => {
      clearInterval(timer);
      unlisten();
      await loop.close();
    },
  };
}

const KEY = 'source ';

async function signalSource(
  { client, taskQueue, deliveryQueueOf }: SourceKeeperOptions,
  { id, name, region }: Unfollowed,
): Promise<void> {
  const args: SourceArgs = { sourceId: id, deliveryQueue: deliveryQueueOf(region), name };
  await client.withDeadline(Date.now() + START_MS, () =>
    client.workflow.signalWithStart<typeof source>('source', {
      workflowId: sourceWorkflowId(id),
      taskQueue,
      args: [args],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      staticSummary: `Source ${name}`.slice(0, SUMMARY_CHARACTERS),
      signal: 'look',
      signalArgs: [],
    }),
  );
}

/** Temporal takes 400 bytes, and a character has up to four. */
const SUMMARY_CHARACTERS = 100;

/** The id of the workflow of a source. */
export function sourceWorkflowId(id: string): string {
  return `source/${id}`;
}

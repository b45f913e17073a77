import { setInterval as every } from 'node:timers';

import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';

import { startedConsumers } from '../consumers/consumerRows.ts';
import type { Sql } from '../db/db.ts';
import type { PacedQueue } from '../wake/pacedQueue.ts';
import { startKey } from './firstStarts.ts';
import { workflowIdOf, type Workflows } from './workflowClient.ts';

export interface ReconcileOptions {
  db: Sql;
  client: Client;
  start: Workflows['start'];
  /** The queue of the process, in which starts have their turns. */
  queue: Pick<PacedQueue, 'put'>;
  log: Logger;
}

const RECONCILE_MS = 60_000;
/** The first time comes about when it is known which process leads, ms. */
const FIRST_MS = 1_000;
/** The deadline of the list, ms: without one, the client would try for long while the server is away. */
const LIST_MS = 15_000;

/** Reconciles each minute while this process leads, one run at a time. */
export function startReconciling(options: ReconcileOptions & { leads: () => boolean }): {
  /** Stops, and waits for a run that is under way; its connection may be closed afterwards. */
  close(): Promise<void>;
} {
  const { log } = options;
  let reconciling: Promise<void> | null = null;
  const timer = every(look, RECONCILE_MS);
  const first = setTimeout(look, FIRST_MS);

  function look(): void {
    if (!options.leads() || reconciling !== null) return; // one process is enough
    reconciling = reconcile(options)
      .then(
        () => undefined,
        (error: unknown) =>
          log.warn({ err: error }, 'reconciling was interrupted; it will be repeated'),
      )
      .finally(() => {
        reconciling = null;
      });
  }

  async function close(): Promise<void> {
    clearInterval(timer);
    clearTimeout(first);
    await reconciling;
  }

  return { close };
}

/**
 * Has the workflow started of every consumer whose workflow has run before and does not run now, because
 * Temporal's database was lost. Those that have never run are started as those of new consumers are. It is
 * safe to repeat: a workflow loads its row first and ends when there is none. Returns how many starts are put
 * into the queue; one that fails is found missing again.
 */
export async function reconcile(options: ReconcileOptions): Promise<number> {
  const { db, client, queue, log } = options;
  // The rows are read first: a workflow that begins afterwards is none of those that are missing.
  const consumers = await startedConsumers(db);
  if (consumers.length === 0) return 0;
  const running = new Set<string>();
  const query = `WorkflowType = 'consumer' and ExecutionStatus = 'Running'`;
  await client.withDeadline(Date.now() + LIST_MS, async () => {
    for await (const { workflowId } of client.workflow.list({ query, pageSize: 1000 })) {
      running.add(workflowId);
    }
  });
  const missing = consumers.filter(({ id }) => !running.has(workflowIdOf(id)));
  if (missing.length === 0) return 0;
  for (const { id, region } of missing) {
    const act = (): Promise<void> => options.start(id, { region });
    queue.put({ key: startKey(id), isRepetition: true, act });
  }
  log.info({ missing: missing.length }, 'starting workflows of consumers that have none');
  return missing.length;
}

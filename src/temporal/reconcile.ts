import { setInterval as every } from 'node:timers';

import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';

import { countStartedConsumers, startedConsumers } from '../consumers/consumerRows.ts';
import type { Sql } from '../db/db.ts';
import type { PacedQueue } from '../wake/pacedQueue.ts';
import { startKey } from './firstStarts.ts';
import { workflowIdOf, type Workflows } from './workflowClient.ts';

export interface ReconcileOptions {
  db: Sql;
  client: Client;
  start: Workflows['start'];
  /** The queue of the process, in which starts wait for their turn. */
  queue: Pick<PacedQueue, 'put'>;
  log: Logger;
}

const COUNT_EVERY_MS = 60_000;
/** Listing 10,000 workflows takes Temporal seconds, counting them takes no time. */
const LIST_EVERY_MS = 3_600_000;
/** The first run comes at about the time when it is known which process is the leader, ms. */
const FIRST_MS = 1_000;
/** The deadlines, ms: without one, the client would try for long while the server is away. */
const COUNT_MS = 15_000;
const LIST_MS = 120_000;

/**
 * Reconciles while this process is the leader, one run at a time: each minute if fewer workflows run than
 * should, and each hour in any case, because a workflow that runs although its consumer is deleted makes up for
 * a missing one in the count.
 */
export function startReconciling(
  options: ReconcileOptions & CountOptions & { leads: () => boolean },
): {
  /** Stops, and waits for a run in progress; its connection may be closed afterwards. */
  close(): Promise<void>;
} {
  const { log } = options;
  let reconciling: Promise<void> | null = null;
  let listAt = 0;
  const timer = every(look, COUNT_EVERY_MS);
  const first = setTimeout(look, FIRST_MS);

  function look(): void {
    if (!options.leads() || reconciling !== null) return; // one process is enough
    reconciling = reconcileIfDue()
      .catch((error: unknown) =>
        log.warn({ err: error }, 'reconciling was interrupted; it will be repeated'),
      )
      .finally(() => {
        reconciling = null;
      });
  }

  async function reconcileIfDue(): Promise<void> {
    const now = performance.now();
    if (now < listAt && !(await fewerRun(options))) return;
    await reconcile(options);
    listAt = now + LIST_EVERY_MS;
  }

  async function close(): Promise<void> {
    clearInterval(timer);
    clearTimeout(first);
    await reconciling;
  }

  return { close };
}

const RUNNING = `WorkflowType = 'consumer' and ExecutionStatus = 'Running'`;

/** What counting workflows needs. */
export interface CountOptions extends Pick<ReconcileOptions, 'db' | 'client'> {
  /** The queue of the workflows of this installation; others may share its namespace. */
  taskQueue: string;
}

/** Whether fewer workflows run than there are consumers whose workflows have run before. */
export async function fewerRun({ db, client, taskQueue }: CountOptions): Promise<boolean> {
  const consumers = await countStartedConsumers(db); // before the count of those that run
  if (consumers === 0) return false;
  const query = `${RUNNING} and TaskQueue = '${taskQueue.replaceAll("'", "''")}'`;
  const { count } = await client.withDeadline(Date.now() + COUNT_MS, () =>
    client.workflow.count(query),
  );
  return count < consumers;
}

/**
 * Starts the workflow of every consumer whose workflow has run before and does not run now, because Temporal's
 * database was lost. Workflows that have never run are started with those of new consumers. It is safe to
 * repeat: a workflow loads its row first and ends when there is none. Returns how many starts are put into the
 * queue; if a start fails, the workflow is found missing again.
 */
export async function reconcile(options: ReconcileOptions): Promise<number> {
  const { db, client, queue, log } = options;
  // The rows are read first: a workflow that begins afterwards is not one of the missing ones.
  const consumers = await startedConsumers(db);
  if (consumers.length === 0) return 0;
  const running = new Set<string>();
  await client.withDeadline(Date.now() + LIST_MS, async () => {
    for await (const { workflowId } of client.workflow.list({ query: RUNNING, pageSize: 1000 })) {
      running.add(workflowId);
    }
  });
  const missing = consumers.filter(({ id }) => !running.has(workflowIdOf(id)));
  if (missing.length === 0) return 0;
  for (const { id, region, name, targetName } of missing) {
    const act = (): Promise<void> => options.start(id, { region, name, targetName });
    queue.put({ key: startKey(id), isRepetition: true, act });
  }
  log.info({ missing: missing.length }, 'starting workflows of consumers that have none');
  return missing.length;
}

import { setInterval as every } from 'node:timers';

import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';

import { consumerIds } from '../consumers/consumerRows.ts';
import type { Sql } from '../db/db.ts';
import { concurrently } from '../process/concurrently.ts';

export interface ReconcileOptions {
  db: Sql;
  client: Client;
  start: (consumerId: string) => Promise<void>;
  log: Logger;
}

const RECONCILE_MS = 60_000;
/** The first time comes about when it is known which process leads, ms. */
const FIRST_MS = 1_000;
const CONCURRENT_STARTS = 16;
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
 * Starts the workflow of every consumer whose workflow does not run, because Temporal's database was
 * lost or Temporal was away when the consumer was created. It is safe to repeat: a workflow loads its
 * row first and ends when there is none. Returns how many were started.
 */
export async function reconcile(options: ReconcileOptions): Promise<number> {
  const { db, client, log } = options;
  // The rows are read first: the workflow of a consumer created afterwards is started by its request.
  const ids = await consumerIds(db);
  if (ids.length === 0) return 0;
  const running = new Set<string>();
  const query = `WorkflowType = 'consumer' and ExecutionStatus = 'Running'`;
  await client.withDeadline(Date.now() + LIST_MS, async () => {
    for await (const { workflowId } of client.workflow.list({ query, pageSize: 1000 })) {
      running.add(workflowId);
    }
  });
  const missing = ids.filter((id) => !running.has(`consumer/${id}`));
  if (missing.length === 0) return 0;
  await concurrently(missing, CONCURRENT_STARTS, (id) => options.start(id));
  log.info({ started: missing.length }, 'started workflows of consumers that had none');
  return missing.length;
}

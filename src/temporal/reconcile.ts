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
/** The first time is as soon as it is known which process leads. */
const FIRST_MS = 1_000;
const CONCURRENT_STARTS = 16;
/** Without a deadline a call to a server that is away would be tried again for long. */
const LIST_MS = 15_000;

/** Reconciles each minute while this process leads, never twice at the same time. */
export function startReconciling(options: ReconcileOptions & { leads: () => boolean }): {
  /** Waits for what is being done: its connection may be closed afterwards. */
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
        (error: unknown) => log.warn({ err: error }, 'reconciling is interrupted; it is repeated'),
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
 * Starts the workflow of every consumer that has a row and none: after Temporal's database was
 * lost, or Temporal was away when a consumer was made. Safe to repeat: a workflow loads its row
 * first and ends when there is none. Returns how many were started.
 */
export async function reconcile(options: ReconcileOptions): Promise<number> {
  const { db, client, log } = options;
  // Rows first: a consumer made meanwhile has just been started by its request.
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

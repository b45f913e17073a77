import type { Connection } from '@temporalio/client';

import type { Sql } from '../db/db.ts';
import { pendingMigrations } from '../db/migrate.ts';

export interface ReadinessOptions {
  sql: Sql;
  connection: Pick<Connection, 'workflowService' | 'withDeadline'>;
  namespace: string;
  /** Unix ms by the clock of Postgres, to which Temporal's times are compared. */
  now: () => number;
  /** The queues that a worker has to poll; empty where workers are not to be checked. */
  queues: { name: string; kind: 'workflow' | 'activity' }[];
}

/** The checks of `/readyz`, by name; each rejects or resolves with false while the part that it names is away. */
export type Readiness = Record<string, () => Promise<boolean>>;

/** Locks and changes nothing; a server that is read-only refuses it (25006), so that its connections are dropped. */
const TAKES_WRITES = 'select from schema_migrations where false for key share';
const ANSWER_MS = 1_000;
/** A poll lasts up to a minute; a worker that has not begun one for this long is gone, ms. */
const POLLED_MS = 75_000;
type QueueType = NonNullable<
  Parameters<Connection['workflowService']['describeTaskQueue']>[0]['taskQueueType']
>;
// oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- the enum is in a package of the SDK's own
const KIND = { workflow: 1 as QueueType, activity: 2 as QueueType };

/** Creates the checks; each ends within about a second while the part that it names answers. */
export function createReadiness(options: ReadinessOptions): Readiness {
  const { connection, namespace, now, queues } = options;
  let migrated = false; // once true it stays true, because migrations are not undone

  async function database(): Promise<boolean> {
    migrated ||= (await pendingMigrations(options.sql)).length === 0;
    if (migrated) await options.sql.query(TAKES_WRITES);
    return migrated;
  }

  async function temporal(): Promise<boolean> {
    await inTime(() => connection.workflowService.getSystemInfo({}));
    return true;
  }

  async function worker(): Promise<boolean> {
    const polled = await Promise.all(
      queues.map(async ({ name, kind }) => {
        const { pollers } = await inTime(() =>
          connection.workflowService.describeTaskQueue({
            namespace,
            taskQueue: { name },
            taskQueueType: KIND[kind],
          }),
        );
        return (pollers ?? []).some(
          ({ lastAccessTime }) => now() - Number(lastAccessTime?.seconds ?? 0) * 1_000 < POLLED_MS,
        );
      }),
    );
    return polled.every(Boolean);
  }

  function inTime<T>(ask: () => Promise<T>): Promise<T> {
    return connection.withDeadline(Date.now() + ANSWER_MS, ask);
  }

  return queues.length === 0 ? { database, temporal } : { database, temporal, worker };
}

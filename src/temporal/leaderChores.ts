import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';

import type { AlertOptions } from '../alerts/alertItem.ts';
import { createCertificateWatch } from '../alerts/certificateWatch.ts';
import { createDeadLetterDigest } from '../alerts/deadLetterDigest.ts';
import { createSourceWatch } from '../alerts/sourceWatch.ts';
import { mailGraceMs } from '../alerts/writeAlert.ts';
import { createChangedTargetRetry } from '../consumers/retryChangedTargets.ts';
import type { Db } from '../db/db.ts';
import type { Listener } from '../db/listener.ts';
import { startUpkeep } from '../process/upkeep.ts';
import type { PacedQueue } from '../wake/pacedQueue.ts';
import { startFirstStarts } from './firstStarts.ts';
import { startReconciling } from './reconcile.ts';
import { startSourceKeeper } from './sourceKeeper.ts';
import type { Workflows } from './workflowClient.ts';

const RETARGET_MS = 500;

export interface LeaderChoresOptions {
  db: Db;
  client: Client;
  /** The task queue of the workflows. */
  taskQueue: string;
  listener: Pick<Listener, 'on'>;
  workflows: Pick<Workflows, 'give' | 'start'>;
  /** The queue of the process, in which starts of workflows wait for their turn. */
  queue: PacedQueue;
  alerts: AlertOptions;
  /** Called when a mail may have been put into the outbox. */
  mailWaits: () => void;
  /** Names this process. */
  holder: string;
  /** Whether this process is the leader; in other processes the chores do nothing. */
  leads: () => boolean;
  /** The task queue on which a region sends, and follows its sources. */
  deliveryQueueOf: (region: string) => string;
  log: Logger;
}

/**
 * Starts the leader's tasks apart from waking consumers: it reports dead letters, troubles of sources and the ends of
 * client certificates, retries changed targets, starts workflows that are new or missing, and keeps sources followed.
 */
export function startLeaderChores(options: LeaderChoresOptions): {
  /** Stops, and waits for the tasks in progress. */
  close(): Promise<void>;
} {
  const { db, workflows, holder, leads, log } = options;
  const retarget = createChangedTargetRetry({ sql: db, give: workflows.give, holder, log });
  const digest = createDeadLetterDigest({ ...options.alerts, db, log });
  const watchSources = createSourceWatch({ ...options.alerts, db, log });
  const watchCertificates = createCertificateWatch({ ...options.alerts, db, log });
  const tellEveryMs = Math.max(RETARGET_MS, mailGraceMs(options.alerts.retryWindowMs));
  const upkeep = startUpkeep(
    [
      {
        name: 'telling of dead letters',
        everyMs: tellEveryMs,
        run: async () => {
          if (!leads()) return;
          await digest();
          options.mailWaits();
        },
      },
      {
        name: 'telling of sources',
        everyMs: tellEveryMs,
        run: async () => {
          if (!leads()) return;
          await watchSources();
          options.mailWaits();
        },
      },
      {
        name: 'telling of client certificates',
        everyMs: tellEveryMs,
        run: async () => {
          if (!leads()) return;
          await watchCertificates();
          options.mailWaits();
        },
      },
      {
        name: 'trying changed targets',
        everyMs: RETARGET_MS,
        run: async () => {
          if (leads()) await retarget();
        },
      },
    ],
    log,
  );
  const { start } = workflows;
  const firstStarts = startFirstStarts({ ...options, start });
  const reconciling = startReconciling({ ...options, start });
  const sourceKeeper = startSourceKeeper(options);
  return {
    close: async () => {
      await Promise.all([
        upkeep.close(),
        firstStarts.close(),
        reconciling.close(),
        sourceKeeper.close(),
      ]);
    },
  };
}

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setInterval as every } from 'node:timers';

import type { Client } from '@temporalio/client';
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';

import { createControl, createDelivery } from '../activities/index.ts';
import { createDeadLetterDigest } from '../alerts/deadLetterDigest.ts';
import type { Send } from '../alerts/mail.ts';
import { startOutbox } from '../alerts/outbox.ts';
import { mailGraceMs } from '../alerts/writeAlert.ts';
import { createCommandApplier } from '../consumers/applyCommand.ts';
import { createLifecycle } from '../consumers/lifecycle.ts';
import { createChangedTargetRetry } from '../consumers/retryChangedTargets.ts';
import type { Db } from '../db/db.ts';
import type { Listener } from '../db/listener.ts';
import type { Vault } from '../db/vault.ts';
import type { DeliveryCounts } from '../delivery/drainContext.ts';
import type { Egress } from '../egress/egress.ts';
import { startUpkeep } from '../process/upkeep.ts';
import { createPages } from '../streams/pages.ts';
import { createLeaderStore } from '../wake/leaderStore.ts';
import { startWake } from '../wake/wake.ts';
import { createDrains } from './drains.ts';
import { reconcile } from './reconcile.ts';
import type { Workflows } from './workflowClient.ts';

/** Requests end within 15 s; then outcomes are stored. */
const FORCE_AFTER_MS = 30_000;
/** Postgres, where it is away, has this long to come back and store them. */
const STORE_WITHIN_MS = 20_000;
const RECONCILE_MS = 60_000;
const RETARGET_MS = 500;
const WAKE_POLL_MS = 500;
const OUTBOX_POLL_MS = 5_000;

export interface WorkersOptions {
  db: Db;
  vault: Vault;
  /** What deliveries go out through. */
  egress: Egress;
  listener: Listener;
  connection: NativeConnection;
  client: Client;
  workflows: Workflows;
  namespace: string;
  taskQueue: string;
  deliveryQueue: string;
  workflowBundle: NonNullable<WorkerOptions['workflowBundle']>;
  /** Which queues this process serves. */
  queues: { control: boolean; deliver: boolean };
  version: string;
  idleAfterMs: number;
  retryWindowMs: number;
  alertEmails: string[];
  publicUrl: string;
  sendMail: Send;
  /** Null: there is no alert webhook. */
  sendAlertWebhook: Send | null;
  /** Drains and deliveries this process runs at once. */
  slots: number;
  counts?: DeliveryCounts;
  log: Logger;
}

/**
 * The workers of one process and what runs beside them: the wake leader, the reconciler and the
 * outbox. `run` resolves after `shutdown`, when everything in flight has ended and is stored, with
 * the consumers of whom this failed because Postgres stayed away.
 */
export async function createWorkers(options: WorkersOptions): Promise<{
  run(): Promise<ReadonlySet<string>>;
  shutdown(): void;
  /** Whether this process wakes idle consumers. */
  readonly leads: boolean;
}> {
  const { db, log, listener, queues } = options;
  const holder = `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`;
  const drains = createDrains({
    ...options,
    holder,
    userAgent: `Millrace/${options.version}`,
    reportHead: options.workflows.failing,
  });
  const pages = createPages(db);
  const outbox = startOutbox({
    db,
    send: options.sendMail,
    sendWebhook: options.sendAlertWebhook,
    pollMs: OUTBOX_POLL_MS,
    log,
  });
  const alerts = {
    db,
    alertEmails: options.alertEmails,
    publicUrl: options.publicUrl,
    alertWebhook: options.sendAlertWebhook !== null,
    retryWindowMs: options.retryWindowMs,
  };
  const wake = startWake({
    store: createLeaderStore(db),
    pages,
    listener,
    holder,
    signal: options.workflows.wake,
    pollMs: WAKE_POLL_MS,
    log,
  });
  const common = {
    connection: options.connection,
    namespace: options.namespace,
    shutdownForceTime: FORCE_AFTER_MS,
    identity: holder,
  };
  const workers: Worker[] = [];
  if (queues.control) {
    workers.push(
      await Worker.create({
        ...common,
        taskQueue: options.taskQueue,
        workflowBundle: options.workflowBundle,
        activities: createControl({
          db,
          pages,
          applier: createCommandApplier({ db, pages: createPages }),
          lifecycle: createLifecycle(alerts),
          loadConfig: drains.deps.context.loadConfig,
          retryWindowMs: options.retryWindowMs,
          mailWaits: () => outbox.hint(),
        }),
        maxConcurrentActivityTaskExecutions: 200,
      }),
    );
  }
  if (queues.deliver) {
    workers.push(
      await Worker.create({
        ...common,
        taskQueue: options.deliveryQueue,
        activities: createDelivery(drains.deps),
        maxConcurrentActivityTaskExecutions: options.slots,
        // A frozen process is given a task by each long poll it has open: 15 s lost with each.
        activityTaskPollerBehavior: { type: 'autoscaling', minimum: 1, initial: 1, maximum: 20 },
        maxHeartbeatThrottleInterval: '6s',
      }),
    );
  }

  const retarget = createChangedTargetRetry({ sql: db, give: options.workflows.give, log });
  const digest = createDeadLetterDigest({ ...alerts, log });
  const upkeep = startUpkeep(
    [
      {
        name: 'telling of dead letters',
        everyMs: Math.max(RETARGET_MS, mailGraceMs(options.retryWindowMs)),
        run: async () => {
          if (!wake.leads) return;
          await digest();
          outbox.hint();
        },
      },
      {
        name: 'trying changed targets',
        everyMs: RETARGET_MS,
        run: async () => {
          if (wake.leads) await retarget();
        },
      },
    ],
    log,
  );

  let reconciling: Promise<void> | null = null;
  function look(): void {
    if (!wake.leads || reconciling !== null) return; // one process is enough
    reconciling = reconcile({ db, client: options.client, start: options.workflows.start, log })
      .then(
        () => undefined,
        (error: unknown) => log.warn({ err: error }, 'reconciling is interrupted; it is repeated'),
      )
      .finally(() => {
        reconciling = null;
      });
  }

  async function run(): Promise<ReadonlySet<string>> {
    const timer = every(look, RECONCILE_MS);
    const first = setTimeout(look, 1_000);
    try {
      await Promise.all(workers.map((worker) => worker.run()));
    } finally {
      clearInterval(timer);
      clearTimeout(first);
      await upkeep.close();
      await reconciling; // its connection may be closed after this
      await wake[Symbol.asyncDispose]();
      await outbox[Symbol.asyncDispose]();
      await drains[Symbol.asyncDispose]();
    }
    return drains.unstored;
  }

  return {
    run,
    shutdown: () => {
      drains.endWithin(STORE_WITHIN_MS);
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    },
    get leads() {
      return wake.leads;
    },
  };
}

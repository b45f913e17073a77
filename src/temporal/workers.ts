import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

import type { Client } from '@temporalio/client';
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';

import type { HeadReport } from '../activities/contract.ts';
import { createControl, createDelivery } from '../activities/index.ts';
import type { AlertOptions } from '../alerts/alertItem.ts';
import type { Send } from '../alerts/mail.ts';
import { startOutbox } from '../alerts/outbox.ts';
import { startTestSender } from '../alerts/testSender.ts';
import { createCommandApplier } from '../consumers/applyCommand.ts';
import { createLifecycle } from '../consumers/lifecycle.ts';
import { createStartFaults } from '../consumers/startFaults.ts';
import type { Db } from '../db/db.ts';
import type { Listener } from '../db/listener.ts';
import type { Vault } from '../db/vault.ts';
import type { DeliveryCounts } from '../delivery/drainContext.ts';
import type { Egress } from '../egress/egress.ts';
import { createSharedOutlets } from '../egress/sharedOutlets.ts';
import type { FollowSourceDeps } from '../sources/followSource.ts';
import { createPages } from '../streams/pages.ts';
import { createPasses } from '../streams/passes.ts';
import type { VisitCounts } from '../visits/visitCounts.ts';
import { createLeaderStore } from '../wake/leaderStore.ts';
import { createPacedQueue, type PacedQueue, type QueueReading } from '../wake/pacedQueue.ts';
import { startWake } from '../wake/wake.ts';
import { createCurrentTaskInterceptor } from './currentTask.ts';
import { createDrains, type Drains } from './drains.ts';
import { startLeaderChores } from './leaderChores.ts';
import { createOpenSender } from './openSender.ts';
import { startVisitKeeper } from './visitKeeper.ts';
import { isRefusal, type Workflows } from './workflowClient.ts';

/** How long a worker has to stop, ms: requests end within 15 s, then outcomes are stored. */
const FORCE_AFTER_MS = 30_000;
/** How long storing outcomes is tried while Postgres is away, ms. */
const STORE_WITHIN_MS = 20_000;
const WAKE_POLL_MS = 500;
/** The largest number of connections of all visits to one origin, and how many are opened at once. */
const MOST_CONNECTIONS = 4_096;
const EAGER_CONNECTIONS = 64;
const OUTBOX_POLL_MS = 5_000;

export interface WorkersOptions {
  db: Db;
  vault: Vault;
  /** The guard through which deliveries go out. */
  egress: Egress;
  listener: Listener;
  connection: NativeConnection;
  client: Client;
  workflows: Workflows;
  namespace: string;
  taskQueue: string;
  deliveryQueue: string;
  /** The delivery queue of a region; `deliveryQueue` for all of them unless given. */
  deliveryQueueOf?: (region: string) => string;
  /** What following sources needs; without it, this process follows none. */
  sources?: Pick<FollowSourceDeps, 'appender' | 'openSocket' | 'leaseMs'>;
  workflowBundle: NonNullable<WorkerOptions['workflowBundle']>;
  /** Which queues this process serves. */
  queues: { control: boolean; deliver: boolean };
  version: string;
  idleAfterMs: number;
  /** How long a consumer is visited after its last entry, ms; an hour unless given. */
  lingerMs?: number | undefined;
  /** Unix ms by the clock of Postgres. */
  now: () => number;
  retryWindowMs: number;
  /** How long events are kept, ms, which alerts say. */
  eventRetentionMs: number;
  /** How long after the first failure a drain makes the retries itself, ms; a minute of 24 hours unless given. */
  ownRetriesMs?: number | undefined;
  /** The same for a lane of visits, ms; 36 minutes of 24 hours unless given. */
  visitRetriesMs?: number | undefined;
  alertEmails: string[];
  publicUrl: string;
  sendMail: Send;
  /** Null: there is no alert webhook. */
  sendAlertWebhook: Send | null;
  /** The region of the consumers for which this process sends. */
  region: string;
  /** How many lanes of visits the region has; 0: there are none. */
  visitLanes: number;
  /** How many drains and deliveries this process runs concurrently. */
  slots: number;
  /** The memory for entries that are sent, in bytes; 256 MB unless given. */
  memoryBytes?: number;
  counts?: DeliveryCounts;
  visitCounts?: VisitCounts;
  log: Logger;
}

/** The workers of one process. */
export interface Workers {
  /**
   * Runs until `shutdown`, and resolves when everything in flight has ended and is stored. Returns the
   * consumers whose outcomes could not be stored because Postgres stayed away.
   */
  run(): Promise<ReadonlySet<string>>;
  /** Begins to stop; `run` resolves when that is done. */
  shutdown(): void;
  /** Whether this process wakes idle consumers. */
  readonly leads: boolean;
  /** The queue of calls to Temporal, which limits their number. */
  readonly calls: QueueReading;
  /** The bytes of entries that are held for sending. */
  readonly heldBytes: number;
}

/** Creates a process's Temporal workers and the parts that run beside them: the leader, its tasks, the outbox. */
export async function createWorkers(options: WorkersOptions): Promise<Workers> {
  const { db, log, listener, workflows, retryWindowMs } = options;
  const holder = `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`;
  const alerts = {
    alertEmails: options.alertEmails,
    publicUrl: options.publicUrl,
    alertWebhook: options.sendAlertWebhook !== null,
    retryWindowMs,
    eventRetentionMs: options.eventRetentionMs,
  };
  const mailWaits = (): void => outbox.hint();
  const out = {
    userAgent: `Millrace/${options.version}`,
    now: options.now,
    requests: options.counts?.requests,
  };
  const shared = createSharedOutlets({
    egress: options.egress,
    connections: MOST_CONNECTIONS,
    eager: EAGER_CONNECTIONS,
  });
  const queue = createPacedQueue({ isRefusal, log });
  const { handOver, reportHead } = callsOf(queue, options);
  const drains = createDrains({
    ...options,
    holder,
    faults: createStartFaults({ ...alerts, db }),
    mailWaits,
    openSender: createOpenSender({ ...out, egress: options.egress }),
    visits: {
      openSender: createOpenSender({ ...out, egress: { ...options.egress, open: shared.open } }),
      region: options.region,
      handOver,
      counts: options.visitCounts,
    },
    reportHead,
    counted: options.counts?.counted,
  });
  const outbox = startOutbox({
    db,
    send: options.sendMail,
    sendWebhook: options.sendAlertWebhook,
    pollMs: OUTBOX_POLL_MS,
    log,
  });
  const tests = startTestSender({
    ...options,
    send: options.sendMail,
    sendWebhook: options.sendAlertWebhook,
    holder,
    pollMs: OUTBOX_POLL_MS,
  });
  const wake = startWake({
    store: createLeaderStore(db, options.visitLanes > 0 ? 'visit' : 'drain'),
    visits: options.visitLanes > 0,
    pages: createPages(db),
    listener,
    holder,
    signal: workflows.wake,
    queue,
    pollMs: WAKE_POLL_MS,
    log,
  });
  const workers = await createQueueWorkers(options, { holder, drains, alerts, mailWaits });
  const leads = (): boolean => wake.leads;
  const { client, taskQueue, deliveryQueue, deliveryQueueOf = () => deliveryQueue } = options;
  const chores = startLeaderChores({
    db,
    client,
    taskQueue,
    deliveryQueueOf,
    listener,
    workflows,
    queue,
    alerts,
    mailWaits,
    holder,
    leads,
    log,
  });

  const visitKeeper = options.queues.deliver
    ? startVisitKeeper({ ...options, lanes: options.visitLanes })
    : null;

  async function run(): Promise<ReadonlySet<string>> {
    try {
      await Promise.all(workers.map((worker) => worker.run()));
    } finally {
      await chores.close();
      await visitKeeper?.close();
      await wake[Symbol.asyncDispose]();
      await queue.close();
      await tests[Symbol.asyncDispose]();
      await outbox[Symbol.asyncDispose]();
      await drains[Symbol.asyncDispose]();
      await shared.close();
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
    get calls() {
      return queue.reading;
    },
    get heldBytes() {
      return drains.deps.context.budget.bytes.taken;
    },
  };
}

/** The calls of senders to workflows, each in its turn. */
function callsOf(queue: PacedQueue, { workflows, now }: Pick<WorkersOptions, 'workflows' | 'now'>) {
  function handOver(consumerId: string, wanted: number): void {
    const key = `hand over ${consumerId}`;
    queue.put({ key, isRepetition: false, act: () => workflows.wake(consumerId, wanted) });
  }

  /** Only people who look at the page need it: other calls go first, and one that is out of date is left out. */
  function reportHead(consumerId: string, report: HeadReport): Promise<void> {
    async function act(): Promise<void> {
      if (isCurrent(report, now())) await workflows.failing(consumerId, report);
    }
    queue.put({ key: `report ${consumerId}`, isRepetition: true, act });
    return Promise.resolve();
  }

  return { handOver, reportHead };
}

/** Whether the attempt after the reported one is still to come. */
function isCurrent({ nextAttemptAt }: HeadReport, now: number): boolean {
  return nextAttemptAt === null || Date.parse(nextAttemptAt) > now;
}

interface QueueParts {
  holder: string;
  drains: Drains;
  alerts: AlertOptions;
  mailWaits: () => void;
}

/**
 * So many workflows stay in memory, each with up to 1 MB. One that is not there is replayed when something happens to it,
 * within milliseconds as histories are short; one whose consumer is visited, or delivers, has nothing to do for hours.
 */
const CACHED_WORKFLOWS = 300;

/** What following sources needs; null when this process follows none. */
function followsOf(options: WorkersOptions, holder: string): FollowSourceDeps | null {
  const { db, vault, listener, sources, log } = options;
  if (sources === undefined) return null;
  return { ...sources, db, vault, listener, passes: createPasses({ db }), holder, log };
}

/** One Temporal worker for each queue that this process serves. */
async function createQueueWorkers(
  options: WorkersOptions,
  { holder, drains, alerts, mailWaits }: QueueParts,
): Promise<Worker[]> {
  const { db, queues, retryWindowMs } = options;
  const common = {
    connection: options.connection,
    namespace: options.namespace,
    shutdownForceTime: FORCE_AFTER_MS,
    identity: holder,
  };
  const workers: Worker[] = [];
  if (queues.control) {
    const control = createControl({
      db,
      pages: createPages(db),
      applier: createCommandApplier({ db, pages: createPages }),
      lifecycle: createLifecycle({ ...alerts, db }),
      loadConfig: drains.deps.context.loadConfig,
      retryWindowMs,
      publicUrl: options.publicUrl,
      mailWaits,
    });
    const worker = await Worker.create({
      ...common,
      taskQueue: options.taskQueue,
      workflowBundle: options.workflowBundle,
      activities: control,
      maxConcurrentActivityTaskExecutions: 200,
      maxCachedWorkflows: CACHED_WORKFLOWS,
    });
    workers.push(worker);
  }
  if (queues.deliver) {
    const worker = await Worker.create({
      ...common,
      taskQueue: options.deliveryQueue,
      activities: createDelivery({ ...drains.deps, follows: followsOf(options, holder) }),
      interceptors: { activity: [createCurrentTaskInterceptor(options.now)] },
      maxConcurrentActivityTaskExecutions: options.slots,
      // A frozen process gets a task for each long poll that it has open, and each such task loses 15 s.
      activityTaskPollerBehavior: { type: 'autoscaling', minimum: 1, initial: 1, maximum: 20 },
      maxHeartbeatThrottleInterval: '6s',
    });
    workers.push(worker);
  }
  return workers;
}

import { randomBytes, randomUUID, randomUUIDv7 } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import pino from 'pino';
import { inject } from 'vitest';

import { fileMail, type Send } from '../../src/alerts/mail.ts';
import { createConsumers } from '../../src/consumers/consumers.ts';
import { openDb, type Db } from '../../src/db/db.ts';
import { createListener } from '../../src/db/listener.ts';
import { createVault } from '../../src/db/vault.ts';
import { createEgress } from '../../src/egress/egress.ts';
import {
  type Consumer,
  type ConsumerInput,
  ConsumerInput as ConsumerSchema,
} from '../../src/schema/consumer.ts';
import { type TargetInput, TargetInput as TargetSchema } from '../../src/schema/target.ts';
import { createAppender, type Appender } from '../../src/streams/append.ts';
import type { NewEvent } from '../../src/streams/derive.ts';
import { createTargets } from '../../src/targets/targets.ts';
import { createWorkers } from '../../src/temporal/workers.ts';
import {
  createWorkflowClient,
  workflowIdOf,
  type Workflows,
} from '../../src/temporal/workflowClient.ts';
import { LOOPBACK, openApp, type TestApp } from './app.ts';
import { createDatabase } from './database.ts';
import { until } from './poll.ts';
import { createProxy, type Proxy } from './proxy.ts';

export interface World extends AsyncDisposable {
  databaseUrl: string;
  taskQueue: string;
  /** With `proxied`: what stands before Postgres and Temporal. */
  postgres: Proxy | null;
  temporal: Proxy | null;
  db: Db;
  api: TestApp;
  client: Client;
  workflows: Workflows;
  append: Appender;
  /** Where mails are written. */
  outbox: string;
  target(url: string, more?: Partial<TargetInput>): Promise<string>;
  consumer(targetId: string, more?: Partial<ConsumerInput>): Promise<string>;
  get(consumerId: string): Promise<Consumer>;
  /** Resolves once the consumer is in this status. */
  becomes(consumerId: string, status: Consumer['status'], timeoutMs?: number): Promise<Consumer>;
  caughtUp(consumerId: string, timeoutMs?: number): Promise<Consumer>;
  handle(consumerId: string): ReturnType<Client['workflow']['getHandle']>;
  /** Stops this world's worker gracefully, or starts another one. */
  stopWorker(): Promise<void>;
  startWorker(retryWindowMs?: number): Promise<void>;
}

export interface WorldOptions {
  idleAfterMs?: number;
  retryWindowMs?: number;
  /** Database and Temporal are reached through proxies that can be cut. */
  proxied?: boolean;
  /** False: nothing polls the queues. */
  worker?: boolean;
  slots?: number;
  /** Files in `outbox` unless given. */
  sendMail?: Send;
  sendAlertWebhook?: Send;
}

let installed = false;

/** Everything in this process on the run's Postgres and Temporal: own database, own task queues. */
export async function openWorld(options: WorldOptions = {}): Promise<World> {
  if (!installed) Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
  installed = true;
  const id = randomUUID().slice(0, 8);
  const own = await createDatabase();
  const postgres = options.proxied === true ? await createProxy(own.url) : null;
  const temporal =
    options.proxied === true ? await createProxy(`tcp://${inject('temporalAddress')}`) : null;
  const database = { url: postgres?.url ?? own.url };
  const log = pino({ level: process.env['LOG_LEVEL'] ?? 'silent' });
  const db = openDb({ url: database.url, onError: () => undefined });
  const vault = createVault([{ id: 'test', key: randomBytes(32) }]);
  const queue = { taskQueue: `test-${id}`, deliveryQueue: `test-${id}-deliver` };
  const createdWithMs = options.retryWindowMs ?? 86_400_000;
  const address = temporal === null ? inject('temporalAddress') : new URL(temporal.url).host;
  const grpc = await Connection.connect({ address });
  const native = await NativeConnection.connect({ address });
  const client = new Client({ connection: grpc });
  const workflows = createWorkflowClient({ client, ...queue, retryWindowMs: createdWithMs });
  const egress = createEgress({ allowCidrs: LOOPBACK });
  const targets = createTargets({ db, vault, egress });
  const consumers = createConsumers({
    db,
    region: 'test',
    alertsByDefault: true,
    eventRetentionMs: 30 * 86_400_000,
  });
  const api = openApp(database.url, {
    targets,
    consumers,
    commands: workflows,
    startWorkflow: workflows.start,
  });
  const append = createAppender({ db, url: database.url, log });
  const outbox = join(tmpdir(), `millrace-outbox-${id}`);
  const made: string[] = [];
  let worker: { stop: () => Promise<void> } | null = null;

  async function startWorker(retryWindowMs = createdWithMs): Promise<void> {
    const listener = createListener({ url: database.url, log });
    const workers = await createWorkers({
      db,
      vault,
      egress,
      listener,
      connection: native,
      client,
      workflows,
      namespace: 'default',
      ...queue,
      workflowBundle: { codePath: inject('workflowBundle') },
      queues: { control: true, deliver: true },
      version: 'test',
      idleAfterMs: options.idleAfterMs ?? 60_000,
      retryWindowMs,
      alertEmails: ['ops@example.com'],
      publicUrl: 'http://127.0.0.1:4600',
      sendMail: options.sendMail ?? fileMail(outbox, 'millrace@example.com'),
      sendAlertWebhook: options.sendAlertWebhook ?? null,
      slots: options.slots ?? 200,
      log,
    });
    const running = workers.run();
    worker = {
      stop: async () => {
        workers.shutdown();
        await running;
        await listener.close();
      },
    };
  }

  async function get(consumerId: string): Promise<Consumer> {
    const consumer = await consumers.get(consumerId);
    if (consumer === null) throw new Error(`no consumer ${consumerId}`);
    return consumer;
  }

  async function stopWorker(): Promise<void> {
    await worker?.stop();
    worker = null;
  }

  if (options.worker !== false) await startWorker();
  return {
    ...queue,
    databaseUrl: own.url,
    postgres,
    temporal,
    db,
    api,
    client,
    workflows,
    append,
    outbox,
    target: async (url, more = {}) => {
      const target = await targets.create(
        TargetSchema.parse({ name: 'receiver', base_url: url, ...more }),
      );
      return target.id;
    },
    consumer: async (targetId, more = {}) => {
      const input = ConsumerSchema.parse({
        name: 'test',
        target_id: targetId,
        stream: 'events',
        ...more,
      });
      const consumerId = await consumers.create(input, 'test');
      made.push(consumerId);
      await workflows.start(consumerId);
      return consumerId;
    },
    get,
    becomes: (consumerId, status, timeoutMs = 40_000) =>
      until(
        async () => {
          const consumer = await get(consumerId);
          return consumer.status === status && consumer;
        },
        { timeoutMs, what: `consumer ${consumerId} becomes ${status}` },
      ),
    caughtUp: (consumerId, timeoutMs = 60_000) =>
      until(
        async () => {
          const consumer = await get(consumerId);
          return consumer.lag.entries === 0 && consumer;
        },
        { timeoutMs, what: `consumer ${consumerId} catches up` },
      ),
    handle: (consumerId) => client.workflow.getHandle(workflowIdOf(consumerId)),
    stopWorker,
    startWorker,
    [Symbol.asyncDispose]: async () => {
      await stopWorker();
      for (const consumerId of made) {
        await client.workflow
          .getHandle(workflowIdOf(consumerId))
          .terminate('the test is over')
          .catch(() => undefined); // it had ended
      }
      await append.close();
      await api[Symbol.asyncDispose]();
      await db.close();
      await native.close();
      await workflows.settled();
      await grpc.close();
      await postgres?.[Symbol.asyncDispose]();
      await temporal?.[Symbol.asyncDispose]();
      await own[Symbol.asyncDispose]();
      await rm(outbox, { recursive: true, force: true });
    },
  };
}

/** `count` events over `records` records of one sync; the data says which they are. */
export function someEvents(
  count: number,
  more: Partial<NewEvent> & { records?: number; from?: number } = {},
): NewEvent[] {
  const { records = count, from = 0, ...rest } = more;
  return Array.from({ length: count }, (_, index) => ({
    syncId: 'sync-1',
    collectionId: 'shop:order',
    upstreamId: `o-${(from + index) % records}`,
    eventId: randomUUIDv7(),
    event: 'updated' as const,
    data: `{"n":${from + index}}`,
    changes: null,
    upstreamUpdatedAt: null,
    ...rest,
  }));
}

import { randomBytes, randomUUID, randomUUIDv7 } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import pino from 'pino';
import { inject } from 'vitest';

import { consumerToStart } from '../../src/consumers/consumerRows.ts';
import { createConsumers, type Consumers } from '../../src/consumers/consumers.ts';
import { openDb, type Db } from '../../src/db/db.ts';
import { createVault, type Vault } from '../../src/db/vault.ts';
import { createEgress } from '../../src/egress/egress.ts';
import {
  type Consumer,
  type ConsumerInput,
  ConsumerInput as ConsumerSchema,
} from '../../src/schema/consumer.ts';
import { type TargetInput, TargetInput as TargetSchema } from '../../src/schema/target.ts';
import { createAppender, type Appender } from '../../src/streams/append.ts';
import type { NewEvent } from '../../src/streams/derive.ts';
import { createTargets, type Targets } from '../../src/targets/targets.ts';
import { visitsIdOf } from '../../src/temporal/startVisits.ts';
import {
  createWorkflowClient,
  workflowIdOf,
  type Workflows,
} from '../../src/temporal/workflowClient.ts';
import { LOOPBACK, openApp, type TestApp } from './app.ts';
import { createDatabase, PATIENT } from './database.ts';
import { noteVisits } from './hosts.ts';
import { until } from './poll.ts';
import { createProxy, type Proxy } from './proxy.ts';
import { createWorldWorker, type WorkerSettings } from './worldWorker.ts';

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
  /** With other encryption keys if a `vault` is given. */
  startWorker(retryWindowMs?: number, vault?: Vault): Promise<void>;
  /** What seals secrets. */
  vault: Vault;
}

export interface WorldOptions extends WorkerSettings {
  retryWindowMs?: number;
  /** Database and Temporal are reached through proxies that can be cut. */
  proxied?: boolean;
  /** The URL of the proxy through which everything is sent. */
  egressProxy?: string;
  /** False: nothing polls the queues. */
  worker?: boolean;
  /** It can't be closed before a lane has visited a consumer: that throws. */
  mustVisit?: boolean;
  /** The leader starts no workflow before this resolves. */
  startsAfter?: Promise<void>;
}

let installed = false;

/** Everything in this process on the run's Postgres and Temporal: own database, own task queues. */
export async function openWorld(options: WorldOptions = {}): Promise<World> {
  if (!installed) Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
  installed = true;
  const id = randomUUID().slice(0, 8);
  const own = await createDatabase();
  const isProxied = options.proxied === true;
  const postgres = isProxied ? await createProxy(own.url) : null;
  const temporal = isProxied ? await createProxy(`tcp://${inject('temporalAddress')}`) : null;
  const databaseUrl = postgres?.url ?? own.url;
  const address = temporal === null ? inject('temporalAddress') : new URL(temporal.url).host;
  const log = pino({ level: process.env['LOG_LEVEL'] ?? 'silent' });
  const db = openDb({ url: databaseUrl, ...PATIENT, onError: () => undefined });
  const vault = createVault([{ id: 'test', key: randomBytes(32) }]);
  const queue = { taskQueue: `test-${id}`, deliveryQueue: `test-${id}-deliver` };
  const retryWindowMs = options.retryWindowMs ?? 86_400_000;
  const grpc = await Connection.connect({ address });
  const native = await NativeConnection.connect({ address });
  const client = new Client({ connection: grpc });
  const workflows = createWorkflowClient({
    client,
    ...queue,
    retryWindowMs,
    publicUrl: 'http://127.0.0.1:4600',
    consumerOf: (id) => consumerToStart(db, id),
    // A busy machine may let Temporal take longer than the 2 s after which it counts as away.
    ...(!isProxied && options.worker !== false && { patienceMs: 60_000 }),
  });
  const egress = createEgress({ allowCidrs: LOOPBACK, proxyUrl: options.egressProxy ?? null });
  const targets = createTargets({ db, vault, egress });
  const consumers = createConsumers({
    db,
    region: 'test',
    alertsByDefault: true,
    eventRetentionMs: 30 * 86_400_000,
  });
  const api = openApp(databaseUrl, {
    targets,
    consumers,
    commands: workflows,
  });
  const append = createAppender({ db, url: databaseUrl, ...PATIENT, log });
  const outbox = join(tmpdir(), `millrace-outbox-${id}`);
  const actors = createActors({ client, workflows, targets, consumers });
  const startLater: Workflows['start'] = async (id, known) => {
    await options.startsAfter;
    await workflows.start(id, known);
  };
  const leaders = { ...workflows, start: startLater };
  const shared = { db, egress, client, workflows: leaders, ...queue, log };
  const visits = noteVisits(options.visitCounts);
  const visitCounts = visits.counts;
  const given = { ...options, visitCounts };
  const worker = createWorldWorker({ ...given, ...shared, databaseUrl, native, outbox });

  if (options.worker !== false) await worker.start(retryWindowMs, vault);
  return {
    ...queue,
    ...actors.acts,
    databaseUrl: own.url,
    postgres,
    temporal,
    db,
    api,
    client,
    workflows,
    append,
    outbox,
    stopWorker: worker.stop,
    startWorker: (windowMs = retryWindowMs, keys = vault) => worker.start(windowMs, keys),
    vault,
    [Symbol.asyncDispose]: async () => {
      await worker.stop();
      await client.workflow
        .getHandle(visitsIdOf(queue.deliveryQueue))
        .terminate('the test is over')
        .catch(() => undefined); // there was none
      await actors.terminate();
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
      if (options.mustVisit === true && !visits.any)
        throw new Error('no lane has visited any consumer, so this test shows nothing of visits');
    },
  };
}

type Acts = Pick<World, 'target' | 'consumer' | 'get' | 'becomes' | 'caughtUp' | 'handle'>;

/** Creates targets and consumers with their workflows, and watches these. */
function createActors(given: {
  client: Client;
  workflows: Workflows;
  targets: Targets;
  consumers: Consumers;
}): { acts: Acts; /** Ends the workflows that were started. */ terminate(): Promise<void> } {
  const { client, workflows, targets, consumers } = given;
  const created: string[] = [];
  const handle: Acts['handle'] = (consumerId) =>
    client.workflow.getHandle(workflowIdOf(consumerId));

  async function get(consumerId: string): Promise<Consumer> {
    const consumer = await consumers.get(consumerId);
    if (consumer === null) throw new Error(`no consumer ${consumerId}`);
    return consumer;
  }

  async function comesTo(
    consumerId: string,
    holds: (consumer: Consumer) => boolean,
    timing: { timeoutMs: number; what: string },
  ): Promise<Consumer> {
    return until(async () => {
      const consumer = await get(consumerId);
      return holds(consumer) && consumer;
    }, timing);
  }

  const acts: Acts = {
    target: async (url, more = {}) => {
      const input = TargetSchema.parse({ name: 'receiver', base_url: url, ...more });
      return (await targets.create(input)).id;
    },
    consumer: async (targetId, more = {}) => {
      const fields = { name: 'test', target_id: targetId, stream: 'events', ...more };
      const { id: consumerId } = await consumers.create(ConsumerSchema.parse(fields), 'test');
      created.push(consumerId);
      await workflows.start(consumerId);
      return consumerId;
    },
    get,
    becomes: (consumerId, status, timeoutMs = 90_000) =>
      comesTo(consumerId, (consumer) => consumer.status === status, {
        timeoutMs,
        what: `consumer ${consumerId} becomes ${status}`,
      }),
    caughtUp: (consumerId, timeoutMs = 90_000) =>
      comesTo(consumerId, ({ lag }) => lag.entries === 0, {
        timeoutMs,
        what: `consumer ${consumerId} catches up`,
      }),
    handle,
  };

  async function terminate(): Promise<void> {
    for (const consumerId of created) {
      await handle(consumerId)
        .terminate('the test is over')
        .catch(() => undefined); // it had ended
    }
  }

  return { acts, terminate };
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

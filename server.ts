import { once } from 'node:events';
import type { Server } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

import { Client, Connection } from '@temporalio/client';

import manifest from './package.json' with { type: 'json' };
import { createAccess } from './src/access/access.ts';
import { createApp } from './src/api/app.ts';
import { createReads } from './src/api/reads.ts';
import { createApiServer } from './src/api/server.ts';
import { createDeadLetters } from './src/attempts/deadLetters.ts';
import { createChanges } from './src/consumers/changes.ts';
import { createConsumers } from './src/consumers/consumers.ts';
import { openDb } from './src/db/db.ts';
import { isDatabaseAway } from './src/db/errors.ts';
import { createListener } from './src/db/listener.ts';
import { migrate } from './src/db/migrate.ts';
import { ensurePartitions } from './src/db/partitions.ts';
import { createVault } from './src/db/vault.ts';
import { createEgress } from './src/egress/egress.ts';
import { keepApiKey } from './src/embedded/keys.ts';
import { openDataDir } from './src/embedded/state.ts';
import {
  ConfigError,
  deliveryQueue,
  loadConfig,
  publicUrl,
  type ServiceConfig,
} from './src/process/config.ts';
import { keepHeapSmall } from './src/process/heap.ts';
import { infoOf } from './src/process/info.ts';
import { listenOn } from './src/process/listenOn.ts';
import { createLog, type Log } from './src/process/log.ts';
import { startUpkeep } from './src/process/upkeep.ts';
import { createAging } from './src/retention/aging.ts';
import { createAttemptRetention } from './src/retention/attemptRetention.ts';
import { createRetention } from './src/retention/eventRetention.ts';
import { createAppender } from './src/streams/append.ts';
import { createPages } from './src/streams/pages.ts';
import { createStreamEnds } from './src/streams/streamEnds.ts';
import { createSyncs } from './src/streams/syncs.ts';
import { createTargets } from './src/targets/targets.ts';
import { testTarget } from './src/targets/testTarget.ts';
import { countAppends } from './src/telemetry/appendMetrics.ts';
import { showConsumerGauges } from './src/telemetry/consumerGauges.ts';
import { sampleLag } from './src/telemetry/lagSamples.ts';
import { createMetrics, showPool } from './src/telemetry/metrics.ts';
import { serveMetrics } from './src/telemetry/metricsServer.ts';
import { createReadiness } from './src/temporal/readiness.ts';
import { createWorkflowClient } from './src/temporal/workflowClient.ts';

/** Requests that take longer when the process is to end are cut off. */
const DRAIN_MS = 8_000;
const MIGRATE_AGAIN_MS = 500;
const MINUTE = 60_000;
const METRICS_KEPT_MS = 10_000;

keepHeapSmall();
await main();

async function main(): Promise<void> {
  try {
    const config = loadConfig(process.env, 'server');
    await run(config, createLog(config.logLevel, { process: 'server' }));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

async function run(config: ServiceConfig, log: Log): Promise<void> {
  if (config.retryWindowMs !== 86_400_000) {
    log.warn({ retry_window_ms: config.retryWindowMs }, 'MILLRACE_RETRY_WINDOW is not 24h');
  }
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => stopping.abort());
  }
  const onError = (error: Error): void =>
    log.warn({ err: error }, 'a Postgres connection was lost');
  const url = config.databaseUrl;
  await using db = openDb({ url, max: 10, applicationName: 'millrace-server', onError });
  await using listener = createListener({ url, log });
  const connection = Connection.lazy(config.temporalConnection);
  const client = new Client({ connection, namespace: config.temporalNamespace });
  const queues = { taskQueue: config.taskQueue, deliveryQueue: deliveryQueue(config) };
  const commands = createWorkflowClient({ client, ...queues, retryWindowMs: config.retryWindowMs });
  const metrics = createMetrics();
  showPool(metrics, db);
  showConsumerGauges({
    metrics,
    sql: db,
    limit: config.metricsConsumers,
    keepMs: METRICS_KEPT_MS,
    log,
  });
  const appender = countAppends(metrics, createAppender({ db, url, log }));
  const ends = createStreamEnds({ sql: db, listener, log });
  const syncs = createSyncs(db);
  const reads = createReads({ sql: db, log });
  const vault = createVault(config.encryptionKeys);
  await using access = createAccess({
    sql: db,
    vault,
    listener,
    log,
    bootstrapKey: await apiKeyOf(config),
    requestsPerSecond: config.apiRateLimit,
    trustProxy: config.trustProxy,
  });
  const egress = createEgress({ allowCidrs: config.allowCidrs, proxyUrl: config.egressProxy });
  const app = createApp({
    db,
    appender,
    pages: createPages(db),
    ends,
    syncs,
    targets: createTargets({ db, vault, egress }),
    testTarget: (target, messageId) =>
      testTarget(target, { egress, userAgent: `Millrace/${manifest.version}`, messageId }),
    consumers: createConsumers({
      db,
      region: config.region,
      alertsByDefault: config.alertEmails.length > 0,
      eventRetentionMs: config.eventRetentionMs,
    }),
    changes: createChanges(db),
    deadLetters: createDeadLetters(db),
    reads,
    commands,
    startWorkflow: (consumerId) => commands.start(consumerId),
    access,
    checks: createReadiness({
      sql: db,
      connection,
      namespace: config.temporalNamespace,
      queues: config.supervised
        ? [
            { name: queues.taskQueue, kind: 'workflow' },
            { name: queues.deliveryQueue, kind: 'activity' },
          ]
        : [],
    }),
    info: infoOf(config, manifest.version),
    metrics,
    log,
  });

  const server = createApiServer(app.fetch);
  await using stack = new AsyncDisposableStack();
  if (config.metricsPort !== null) {
    const shown = await serveMetrics({
      host: config.metricsHost,
      port: config.metricsPort,
      text: metrics.text,
      onError: (error) => log.warn({ err: error }, 'metrics could not be shown'),
    });
    stack.use(shown);
    log.info({ metrics_port: shown.port }, 'metrics are shown');
  }
  const port = await listenOn(server, config, 'MILLRACE_HOST and MILLRACE_PORT');
  log.info({ port }, 'the API listens');
  try {
    await migrateOnceItIsThere(url, log, stopping.signal);
    if (!stopping.signal.aborted) await serve(stopping.signal);
  } finally {
    ends.close(); // long polls answer
    reads.waits.close();
    await close(server);
    await appender.close();
    await commands.settled();
    await connection.close();
  }
  log.info('the API has stopped');

  async function serve(signal: AbortSignal): Promise<void> {
    const { eventRetentionMs: eventMs, attemptRetentionMs: attemptMs } = config;
    const alerts = {
      alertEmails: [...config.alertEmails],
      publicUrl: publicUrl(config),
      alertWebhook: config.alertWebhook !== null,
      retryWindowMs: config.retryWindowMs,
    };
    const aging = createAging({ db, eventMs, alerts, log });
    const retention = createRetention({ db, eventMs, attemptMs, alerts, log });
    const attempts = createAttemptRetention({
      db,
      ageMs: attemptMs,
      maxBytes: config.attemptBytes,
      log,
    });
    const upkeep = startUpkeep(
      [
        { name: 'partitions', everyMs: MINUTE, run: () => ensurePartitions(db) },
        { name: 'roll-up', everyMs: MINUTE, run: () => syncs.rollUp() },
        { name: 'lag samples', everyMs: MINUTE, run: () => sampleLag(db) },
        ...access.chores,
        { name: 'attempt retention', everyMs: MINUTE, run: () => attempts.run() },
        { name: 'aging events', everyMs: 5 * MINUTE, run: () => aging.run() },
        { name: 'retention', everyMs: 5 * MINUTE, run: () => retention.run() },
      ],
      log,
    );
    await aborted(signal);
    await upkeep.close();
  }
}

/** The operator's, or one of our own making that stays in the data folder. */
async function apiKeyOf(config: ServiceConfig): Promise<string> {
  return config.apiKey ?? keepApiKey(await openDataDir(config.dataDir));
}

/** Postgres may come up after us; a migration that fails for another reason ends the process. */
async function migrateOnceItIsThere(url: string, log: Log, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const applied = await migrate(url);
      if (applied.length > 0) log.info({ applied }, 'migrations applied');
      return;
    } catch (error) {
      if (!isDatabaseAway(error)) throw error;
      log.warn({ err: error }, 'Postgres does not answer; trying again');
    }
    await pause(MIGRATE_AGAIN_MS, undefined, { signal }).catch(() => undefined); // stopping
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

/** Takes no more connections, lets requests end, cuts off those that take too long. */
async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  const idle = setInterval(() => server.closeIdleConnections(), 50); // kept alive after their answer
  await closed;
  clearTimeout(cut);
  clearInterval(idle);
}

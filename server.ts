import { once } from 'node:events';
import { hostname } from 'node:os';

import { Client, Connection } from '@temporalio/client';

import manifest from './package.json' with { type: 'json' };
import { createAccess, type Access } from './src/access/access.ts';
import { createTestAlert } from './src/alerts/testAlert.ts';
import { createApp } from './src/api/app.ts';
import { closeApiServer, createApiServer } from './src/api/server.ts';
import { createStores, type Stores } from './src/api/stores.ts';
import { consumerToStart } from './src/consumers/consumerRows.ts';
import { openDb, type Db, type Sql } from './src/db/db.ts';
import { createListener } from './src/db/listener.ts';
import { migrateOnceItIsThere } from './src/db/migrate.ts';
import { ensurePartitions } from './src/db/partitions.ts';
import { createVault, type Vault } from './src/db/vault.ts';
import { createMayReach } from './src/egress/addresses.ts';
import { createDatabaseSockets } from './src/egress/databaseSocket.ts';
import { createRefusal } from './src/egress/refusal.ts';
import { keepApiKey } from './src/embedded/keys.ts';
import { openDataDir } from './src/embedded/state.ts';
import { startClock } from './src/process/clock.ts';
import { clockNotes } from './src/process/clockNotes.ts';
import {
  ConfigError,
  deliveryQueue,
  loadConfig,
  type ServiceConfig,
} from './src/process/config.ts';
import { keepHeapSmall } from './src/process/heap.ts';
import { infoOf } from './src/process/info.ts';
import { listenOn } from './src/process/listenOn.ts';
import { createLog, type Log } from './src/process/log.ts';
import { publicUrl } from './src/process/publicUrl.ts';
import { logStrayOutput } from './src/process/strayOutput.ts';
import { startUpkeep, type Chore } from './src/process/upkeep.ts';
import { createAging } from './src/retention/aging.ts';
import { createAttemptRetention } from './src/retention/attemptRetention.ts';
import { createRetention } from './src/retention/eventRetention.ts';
import { createSources, type Sources } from './src/sources/sources.ts';
import { createInspectDatabase } from './src/sources/testDatabase.ts';
import { createAppender } from './src/streams/append.ts';
import { sealClearHeaders } from './src/targets/sealClearHeaders.ts';
import { createTargets } from './src/targets/targets.ts';
import type { TestTarget } from './src/targets/testTarget.ts';
import { countAppends } from './src/telemetry/appendMetrics.ts';
import { countAttempts } from './src/telemetry/attemptTotals.ts';
import { readConsumerFigures } from './src/telemetry/consumerFigures.ts';
import { showConsumerGauges } from './src/telemetry/consumerGauges.ts';
import { sampleLag } from './src/telemetry/lagSamples.ts';
import { createMetrics, showClock, showPool, type Metrics } from './src/telemetry/metrics.ts';
import { serveMetrics } from './src/telemetry/metricsServer.ts';
import { createOverviews } from './src/telemetry/overview.ts';
import { showSourceGauges } from './src/telemetry/sourceGauges.ts';
import { createReadiness, type Readiness } from './src/temporal/readiness.ts';
import { createWorkflowClient, type Workflows } from './src/temporal/workflowClient.ts';

const MINUTE = 60_000;
/** With 20, as in the CLI, one NDJSON request takes 40 % longer, and the peak memory is 54 MB less (`bench -- connector`). */
const HEAP_GROWTH_PERCENT = 100;
const METRICS_KEPT_MS = 10_000;
/** How many sources have series of their own. */
const METRICS_SOURCES = 100;
/** How many consumers /v1/status names one by one. */
const WORST = 20;

keepHeapSmall(HEAP_GROWTH_PERCENT);
await main();

async function main(): Promise<void> {
  try {
    const config = loadConfig(process.env, 'server');
    const log = createLog(config.logLevel, { process: 'server' });
    logStrayOutput(log);
    await run(config, log);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

/** Serves the API until a signal ends it; then open requests are answered and appends are stored. */
async function run(config: ServiceConfig, log: Log): Promise<void> {
  if (config.retryWindowMs !== 86_400_000) {
    log.warn({ retry_window_ms: config.retryWindowMs }, 'MILLRACE_RETRY_WINDOW is not 24h');
  }
  const stopping = abortedBySignals();
  const url = config.databaseUrl;
  await using db = openDb({
    url,
    max: 10,
    applicationName: 'millrace-server',
    onError: (error) => log.warn({ err: error }, 'a Postgres connection was lost'),
  });
  await using listener = createListener({ url, log });
  await using clock = startClock({ sql: db, process: `server ${hostname()}/${process.pid}`, log });
  const temporal = openTemporal(config, db);
  const metrics = openMetrics(config, db, log);
  const vault = createVault(config.encryptionKeys);

  const counted = countAppends(metrics, createAppender({ db, url, log }));
  const { appender } = counted;
  const stores = createStores({
    db,
    listener,
    region: config.region,
    alertsByDefault: config.alertEmails.length > 0,
    eventRetentionMs: config.eventRetentionMs,
    onDeleted: counted.countDeleted,
    log,
  });
  await using access = createAccess({
    sql: db,
    vault,
    listener,
    log,
    bootstrapKey: await apiKeyOf(config),
    requestsPerSecond: config.apiRateLimit,
    trustProxy: config.trustProxy,
    publicUrl: config.publicUrl,
    now: clock.now,
  });

  const asked = { sql: db, connection: temporal.connection, now: clock.now };
  const app = createApp({
    db,
    stores,
    sources: openSources(config, db, vault),
    targets: createTargets({ db, vault, egress: { refusal: refusalOf(config) } }),
    testTarget: openTestTarget(config, clock.now),
    testAlert: createTestAlert({ sql: db }),
    appender,
    access,
    commands: temporal.workflows,
    notes: () => clockNotes(db),
    checks: readinessOf(config, asked, config.supervised),
    parts: readinessOf(config, asked, true),
    figures: () => readConsumerFigures(db, WORST),
    overviews: createOverviews({ sql: db, retryWindowMs: config.retryWindowMs }),
    info: infoOf(config, manifest.version),
    metrics,
    log,
  });
  showClock(metrics, clock);
  const server = createApiServer(app.fetch);
  await using shown = new AsyncDisposableStack();
  shown.use(await showMetrics(config, metrics, log));
  const port = await listenOn(server, config, 'MILLRACE_HOST and MILLRACE_PORT');
  log.info({ port }, 'the API is listening');

  try {
    await migrateOnceItIsThere(url, log, stopping);
    if (!stopping.aborted) {
      const upkeep = startUpkeep(choresOf(config, { db, vault, stores, access, log }), log);
      await aborted(stopping);
      await upkeep.close();
    }
  } finally {
    stores.close(); // so that long polls are answered
    await closeApiServer(server);
    await appender.close();
    await temporal.workflows.settled();
    await temporal.connection.close();
  }
  log.info('the API has stopped');
}

/** Seals what was saved in clear; the workers of `npm start` are of the same version. */
async function sealHeaders(
  { supervised }: ServiceConfig,
  db: Db,
  vault: Vault,
  log: Log,
): Promise<void> {
  const targets = await sealClearHeaders({ db, vault, beside: !supervised });
  if (targets > 0) log.info({ targets }, 'headers that carry credentials have been sealed');
}

function openSources({ region, allowCidrs }: ServiceConfig, db: Db, vault: Vault): Sources {
  const sockets = createDatabaseSockets({ allowCidrs });
  return createSources({
    db,
    vault,
    region,
    sockets,
    inspect: createInspectDatabase(sockets.open),
  });
}

function abortedBySignals(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => stopping.abort());
  }
  return stopping.signal;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

/** The API key that the operator has set, or else the one that Millrace creates and keeps in the data folder. */
async function apiKeyOf(config: ServiceConfig): Promise<string> {
  return config.apiKey ?? keepApiKey(await openDataDir(config.dataDir));
}

function refusalOf({ allowCidrs }: ServiceConfig): (url: string) => string | null {
  return createRefusal(createMayReach(allowCidrs));
}

/** Sends test webhooks. What sends them is loaded with the first one, as most servers send none. */
function openTestTarget(config: ServiceConfig, now: () => number): TestTarget {
  const { allowCidrs, egressProxy: proxyUrl } = config;
  let loading: Promise<TestTarget> | null = null;

  async function load(): Promise<TestTarget> {
    const { createEgress } = await import('./src/egress/egress.ts');
    const { testTarget } = await import('./src/targets/testTarget.ts');
    const egress = createEgress({ allowCidrs, proxyUrl });
    const userAgent = `Millrace/${manifest.version}`;
    return (target, messageId) => testTarget(target, { egress, userAgent, now, messageId });
  }

  return async (target, messageId) => {
    const send = await (loading ??= load());
    return send(target, messageId);
  };
}

/** Opens a connection that connects at the first call, so that the API serves even while Temporal is away. */
function openTemporal(
  config: ServiceConfig,
  db: Sql,
): { connection: Connection; workflows: Workflows } {
  const connection = Connection.lazy(config.temporalConnection);
  const workflows = createWorkflowClient({
    client: new Client({ connection, namespace: config.temporalNamespace }),
    taskQueue: config.taskQueue,
    deliveryQueue: deliveryQueue(config),
    deliveryQueueOf: (region) => deliveryQueue({ ...config, region }),
    consumerOf: (consumerId) => consumerToStart(db, consumerId),
    retryWindowMs: config.retryWindowMs,
    publicUrl: publicUrl(config),
  });
  return { connection, workflows };
}

/**
 * The checks of `/v1/status`, and those of `/readyz`, which include the workers only where `npm start` runs those
 * as well.
 */
function readinessOf(
  config: ServiceConfig,
  given: { sql: Db; connection: Connection; now: () => number },
  withWorkers: boolean,
): Readiness {
  return createReadiness({
    ...given,
    namespace: config.temporalNamespace,
    queues: withWorkers
      ? [
          { name: config.taskQueue, kind: 'workflow' },
          { name: deliveryQueue(config), kind: 'activity' },
        ]
      : [],
  });
}

function openMetrics(config: ServiceConfig, db: Db, log: Log): Metrics {
  const metrics = createMetrics();
  showPool(metrics, db);
  const shown = { metrics, sql: db, keepMs: METRICS_KEPT_MS, log };
  showConsumerGauges({ ...shown, limit: config.metricsConsumers });
  showSourceGauges({ ...shown, limit: METRICS_SOURCES });
  return metrics;
}

/** Serves the metrics on a port of their own, without a key, if one is configured. */
async function showMetrics(
  { metricsHost: host, metricsPort: port }: ServiceConfig,
  { text }: Metrics,
  log: Log,
): Promise<AsyncDisposable | null> {
  if (port === null) return null;
  const onError = (error: unknown): void => log.warn({ err: error }, 'metrics could not be served');
  const shown = await serveMetrics({ host, port, text, onError });
  log.info({ metrics_port: shown.port }, 'metrics are served');
  return shown;
}

interface ChoreParts {
  db: Db;
  vault: Vault;
  stores: Stores;
  access: Access;
  log: Log;
}

/** What the server does beside serving: partitions, roll-ups, samples, and dropping what is too old. */
function choresOf(config: ServiceConfig, { db, vault, stores, access, log }: ChoreParts): Chore[] {
  const { eventRetentionMs: eventMs, attemptRetentionMs: attemptMs } = config;
  const alerts = {
    alertEmails: [...config.alertEmails],
    publicUrl: publicUrl(config),
    alertWebhook: config.alertWebhook !== null,
    retryWindowMs: config.retryWindowMs,
    eventRetentionMs: eventMs,
  };
  const aging = createAging({ db, eventMs, alerts, log });
  const retention = createRetention({ db, eventMs, attemptMs, alerts, log });
  const bounds = { ageMs: attemptMs, maxBytes: config.attemptBytes };
  const attempts = createAttemptRetention({ db, ...bounds, log });
  return [
    { name: 'partitions', everyMs: MINUTE, run: () => ensurePartitions(db) },
    { name: 'roll-up', everyMs: MINUTE, run: () => stores.syncs.rollUp() },
    { name: 'lag samples', everyMs: MINUTE, run: () => sampleLag(db) },
    { name: 'attempt totals', everyMs: MINUTE, run: () => countAttempts(db) },
    ...access.chores,
    { name: 'attempt retention', everyMs: MINUTE, run: () => attempts.run() },
    { name: 'aging events', everyMs: 5 * MINUTE, run: () => aging.run() },
    {
      name: 'secret headers',
      everyMs: 60 * MINUTE,
      run: () => sealHeaders(config, db, vault, log),
    },
    { name: 'retention', everyMs: 5 * MINUTE, run: () => retention.run() },
  ];
}

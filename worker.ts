import { setGlobalProxyFromEnv } from 'node:http';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, NativeConnection, Runtime } from '@temporalio/worker';

import manifest from './package.json' with { type: 'json' };
import { alertSecrets, alertWebhook } from './src/alerts/alertWebhook.ts';
import { fileMail, smtpMail } from './src/alerts/mail.ts';
import { consumerToStart } from './src/consumers/consumerRows.ts';
import { openDb, type Db, type Sql } from './src/db/db.ts';
import { createListener } from './src/db/listener.ts';
import { untilMigrated } from './src/db/migrate.ts';
import { createVault } from './src/db/vault.ts';
import { createDatabaseSockets } from './src/egress/databaseSocket.ts';
import { createEgress, type Egress } from './src/egress/egress.ts';
import { choosePort } from './src/embedded/state.ts';
import { startClock } from './src/process/clock.ts';
import {
  ConfigError,
  deliveryQueue,
  loadConfig,
  type ServiceConfig,
} from './src/process/config.ts';
import { keepHeapSmall, memoryLimits, sendMemoryFor } from './src/process/heap.ts';
import { createLog, type Log } from './src/process/log.ts';
import { proxiesToSet } from './src/process/proxies.ts';
import { publicUrl } from './src/process/publicUrl.ts';
import { logStrayOutput } from './src/process/strayOutput.ts';
import { createAppender } from './src/streams/append.ts';
import { countAppends } from './src/telemetry/appendMetrics.ts';
import { showCalls } from './src/telemetry/callMetrics.ts';
import { countDeliveries } from './src/telemetry/deliveryMetrics.ts';
import { createMetrics, showClock, showPool, type Metrics } from './src/telemetry/metrics.ts';
import { serveMetrics } from './src/telemetry/metricsServer.ts';
import { countVisits } from './src/telemetry/visitMetrics.ts';
import { pacedConnection } from './src/temporal/pacedConnection.ts';
import { registerAttributes } from './src/temporal/registerAttributes.ts';
import { sdkLogger, sdkLogging } from './src/temporal/sdkLog.ts';
import { readTemporalMetrics, temporalMetrics } from './src/temporal/sdkMetrics.ts';
import { createWorkers } from './src/temporal/workers.ts';
import { keptBundle } from './src/temporal/workflowBundle.ts';
import { createWorkflowClient } from './src/temporal/workflowClient.ts';

const USAGE = 'usage: node worker.ts [--queue control|deliver]';
const SLOTS = 2_000;
/** With less a worker takes no less memory, and following a source gets slower. */
const HEAP_GROWTH_PERCENT = 100;

keepHeapSmall(HEAP_GROWTH_PERCENT);
await main();

async function main(): Promise<void> {
  try {
    const queues = readQueues();
    const config = loadConfig(process.env, 'worker');
    const log = createLog(config.logLevel, { process: 'worker' });
    logStrayOutput(log);
    const proxies = proxiesToSet(process.env);
    if (proxies !== null) setGlobalProxyFromEnv(proxies);
    await serve(config, queues, log).catch((error: unknown) => {
      if (!isUnreachable(error)) throw error;
      log.fatal(error.message);
      process.exitCode = 1;
    });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

function readQueues(): { control: boolean; deliver: boolean } {
  const { values } = parseArgs({ options: { queue: { type: 'string' } } });
  const { queue } = values;
  if (queue !== undefined && queue !== 'control' && queue !== 'deliver') {
    throw new ConfigError(`--queue must be control or deliver, not "${queue}". ${USAGE}`);
  }
  return { control: queue !== 'deliver', deliver: queue !== 'control' };
}

async function serve(
  config: ServiceConfig,
  queues: { control: boolean; deliver: boolean },
  log: Log,
): Promise<void> {
  if (config.retryWindowMs !== 86_400_000) {
    log.warn({ retry_window_ms: config.retryWindowMs }, 'MILLRACE_RETRY_WINDOW is not 24h');
  }
  if (config.alertEmails.length === 0) {
    const level = config.smtpUrl === null ? 'info' : 'warn'; // where no mail is sent at all, as in development
    log[level](
      'MILLRACE_ALERT_EMAIL is not set: alerts about consumers without alert_emails reach no one',
    );
  }
  const metrics = createMetrics();
  const sdkPort = config.metricsPort === null ? null : await choosePort(undefined);
  Runtime.install({
    shutdownSignals: [], // they are handled below
    telemetryOptions: {
      logging: sdkLogging(config.logLevel),
      ...(sdkPort === null ? {} : { metrics: temporalMetrics(sdkPort) }),
    },
    logger: sdkLogger(config.logLevel, log),
  });
  const onError = (error: Error): void =>
    log.warn({ err: error }, 'a Postgres connection was lost');
  await using db = openDb({
    url: config.databaseUrl,
    max: 20,
    applicationName: 'millrace-worker',
    onError,
  });
  showPool(metrics, db);
  await untilMigrated(db, log);
  await using clock = startClock({ sql: db, process: `worker ${hostname()}/${process.pid}`, log });
  await clock.measure().catch(onError); // while Postgres is away nothing is sent, and it is measured again
  showClock(metrics, clock);
  await using listener = createListener({ url: config.databaseUrl, log });
  const connection = await NativeConnection.connect(config.temporalConnection);
  await registerAttributes({ connection, namespace: config.temporalNamespace, log });
  const temporal = openClients(config, db);
  const queue = { taskQueue: config.taskQueue, deliveryQueue: deliveryQueue(config) };
  const egress = createEgress({ allowCidrs: config.allowCidrs, proxyUrl: config.egressProxy });
  const sources = openFollowing(config, { db, metrics, log });
  const workers = await createWorkers({
    db,
    egress,
    vault: createVault([...config.encryptionKeys]),
    listener,
    connection,
    client: temporal.client,
    workflows: temporal.workflows,
    namespace: config.temporalNamespace,
    ...queue,
    deliveryQueueOf: (region) => deliveryQueue({ ...config, region }),
    sources,
    workflowBundle: await bundleOf(config, log),
    queues,
    version: manifest.version,
    now: clock.now,
    idleAfterMs: config.idleAfterMs,
    retryWindowMs: config.retryWindowMs,
    eventRetentionMs: config.eventRetentionMs,
    alertEmails: [...config.alertEmails],
    publicUrl: publicUrl(config),
    ...alertChannels(config, egress, clock.now),
    region: config.region,
    visitLanes: config.visitLanes,
    slots: SLOTS,
    memoryBytes: config.sendBytes ?? sendMemoryFor(memoryLimits()),
    counts: countDeliveries(metrics),
    visitCounts: countVisits(metrics, { region: config.region, lanes: config.visitLanes }),
    log,
  });
  metrics.gauge('millrace_leader', 'Whether this process wakes idle consumers', () =>
    workers.leads ? 1 : 0,
  );
  metrics.gauge(
    'millrace_send_memory_bytes',
    'Memory that is held by entries that are being sent, in bytes',
    () => workers.heldBytes,
  );
  showCalls(metrics, () => workers.calls);
  await using shown = new AsyncDisposableStack();
  if (config.metricsPort !== null && sdkPort !== null) {
    const onError = (error: unknown): void => log.warn({ err: error }, 'metrics are incomplete');
    const sdk = (): Promise<string> =>
      readTemporalMetrics(sdkPort).catch((error: unknown) => {
        onError(error);
        return ''; // our own metrics are shown all the same
      });
    const { metricsHost: host, metricsPort: port } = config;
    const text = async (): Promise<string> => (await metrics.text()) + (await sdk());
    const server = shown.use(await serveMetrics({ host, port, text, onError }));
    log.info({ metrics_port: server.port }, 'metrics are served');
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => workers.shutdown());
  log.info({ ...queues, ...queue, region: config.region }, 'the worker is running');
  let unstored: ReadonlySet<string>;
  try {
    unstored = await workers.run();
  } finally {
    await sources.appender.close();
    await temporal.close();
    await connection.close();
  }
  if (unstored.size === 0) {
    log.info('the worker has stopped; everything in flight is stored');
    return;
  }
  process.exitCode = 1;
  log.error(
    { count: unstored.size, consumers: [...unstored].slice(0, 100) },
    'the worker has stopped, but Postgres was not available: what these consumers sent last is not stored and may be sent again',
  );
}

/** The workflows: those of a file that was made before, or, where none can be kept, bundled here. */
async function bundleOf({ workflowBundle }: ServiceConfig, log: Log) {
  try {
    return { codePath: workflowBundle ?? (await keptBundle()) };
  } catch (error) {
    log.warn({ err: error }, 'the bundle of the workflows is not kept: each worker makes its own');
    return bundleWorkflowCode({
      workflowsPath: fileURLToPath(new URL('./src/workflows/index.ts', import.meta.url)),
      logger: sdkLogger('error', log),
    });
  }
}

/** What following sources needs; what it appends and deletes is counted. */
function openFollowing(
  { allowCidrs, databaseUrl: url }: ServiceConfig,
  { db, metrics, log }: { db: Db; metrics: Metrics; log: Log },
) {
  const { open: openSocket } = createDatabaseSockets({ allowCidrs });
  const { appender, countDeleted } = countAppends(metrics, createAppender({ db, url, log }));
  return { appender, openSocket, onDeleted: countDeleted };
}

/** Temporal's clients, each on a connection of its own that is opened with its first call, and what uses both. */
function openClients(config: ServiceConfig, db: Sql) {
  const { temporalConnection, temporalNamespace: namespace } = config;
  const connection = Connection.lazy(temporalConnection);
  const paced = pacedConnection(temporalConnection);
  const client = new Client({ connection, namespace });
  const workflows = createWorkflowClient({
    client,
    pacedClient: new Client({ connection: paced, namespace }),
    taskQueue: config.taskQueue,
    deliveryQueue: deliveryQueue(config),
    deliveryQueueOf: (region) => deliveryQueue({ ...config, region }),
    consumerOf: (consumerId) => consumerToStart(db, consumerId),
    retryWindowMs: config.retryWindowMs,
    publicUrl: publicUrl(config),
  });
  return {
    client,
    workflows,
    close: async () => {
      await workflows.settled();
      await paced.close();
      await connection.close();
    },
  };
}

/** How alerts leave this process: by mail, or into a folder where no mail server is set, and by webhook. */
function alertChannels(config: ServiceConfig, egress: Egress, now: () => number) {
  const { smtpUrl, mailFrom, dataDir, alertWebhook: url, alertWebhookFormat: format } = config;
  const sendMail =
    smtpUrl === null ? fileMail(join(dataDir, 'outbox'), mailFrom) : smtpMail(smtpUrl, mailFrom);
  const secrets = alertSecrets(config.alertWebhookSecret, config.encryptionKeys);
  const userAgent = `Millrace/${manifest.version}`;
  return {
    sendMail,
    sendAlertWebhook:
      url === null ? null : alertWebhook({ egress, url, format, secrets, userAgent, now }),
  };
}

/** Whether Temporal or Postgres is away at the start: one sentence is enough, as the supervisor starts it again. */
function isUnreachable(error: unknown): error is Error {
  return (
    error instanceof Error &&
    (error.name === 'TransportError' || error.message.includes('ECONNREFUSED'))
  );
}

import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

import { ensureConsole } from '../../src/embedded/console.ts';
import { keepServer, type Kept } from '../../src/embedded/keepServer.ts';
import { startPostgres, type EmbeddedPostgres } from '../../src/embedded/postgres.ts';
import { choosePort, openDataDir } from '../../src/embedded/state.ts';
import { findTemporal } from '../../src/embedded/temporalBinary.ts';
import type { Running } from '../instruments/installation.ts';
import { readCompose, type Compose } from './compose.ts';
import { noteRunning, noteStopped, POSTGRES, PREFIX, sweep } from './leftovers.ts';
import { startPart, type Part } from './part.ts';
import { findPrograms } from './programs.ts';
import { runScript } from './script.ts';
import {
  addressOf,
  millraceVariables,
  namespaceScript,
  schemaScript,
  temporalVariables,
  TEMPORAL_PORTS,
  type Places,
} from './settings.ts';
import { startTemporalServer, type TemporalServer } from './temporalServer.ts';
import { createTimer, type Timer } from './timer.ts';

/** The set-up of docker-compose.yml without containers, with several of Millrace's processes. */
export interface Rehearsal extends Running {
  /** The addresses of the APIs; `url` is the first. */
  urls: string[];
  apis: Part[];
  workers: Part[];
  /** Holds all data and logs. */
  folder: string;
  /** The folders and files of logs, by part. */
  logs: Record<string, string>;
  /** How long each part took to start. */
  seconds: Record<string, number>;
  /** Keeps the folder for people to look at, after everything is stopped. */
  keepFolder(): void;
  /** Stops everything that was started, and removes the folder. */
  stop(): Promise<void>;
}

/** How to start a rehearsal. */
export interface RehearsalOptions {
  /** Says where programs are; apart from PATH only LOG_LEVEL and the variables of Go are used. */
  env: NodeJS.ProcessEnv;
  workers: number;
  /** Further environment variables of the APIs and workers. */
  variables?: NodeJS.ProcessEnv;
  say: (line: string) => void;
  /** Aborts the start. */
  signal: AbortSignal;
}

const ROOT = new URL('../../', import.meta.url);
const APIS = 2;
const OF_TEMPORAL = "Temporal's Postgres";
/** As `stop_grace_period` in docker-compose.yml. */
const GRACE_MS = { api: 15_000, worker: 45_000, server: 60_000 };

/**
 * Starts two Postgres servers, Temporal on one of them, two APIs and the workers, with the settings, scripts
 * and probes of docker-compose.yml. Rejects with an error that names the part that failed and its log, after
 * stopping what had started; the logs are then kept.
 */
export async function startRehearsal(options: RehearsalOptions): Promise<Rehearsal> {
  const { env, say, signal } = options;
  const file = await readFile(new URL('docker-compose.yml', ROOT), 'utf8');
  const version = readCompose(file, {}).temporalVersion;
  const programs = await findPrograms({ version, env, say, signal });
  const timer = createTimer(say);
  const temporal = await timer.named('The temporal CLI', null, () => findTemporal({ env, say }));
  await timer.named('The console', null, () => ensureConsole(say));
  await sweep(say);

  await using started = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), PREFIX));
  let keeps = true; // until everything has started
  started.defer(() => (keeps ? noteStopped(folder) : rm(folder, { recursive: true, force: true })));
  const site: Site = { ...options, folder, timer, started, logs: {} };
  try {
    await prepareFolder(folder, temporal);
    const postgres = await startPostgresServers(site);
    const apiKey = `mk_${randomBytes(24).toString('hex')}`;
    const apiPorts = await choosePorts(APIS);
    const metricsPorts = await choosePorts(APIS + options.workers, apiPorts);
    const temporalPorts = await choosePorts(TEMPORAL_PORTS.length, [...apiPorts, ...metricsPorts]);
    const urls = apiPorts.map((port) => `http://127.0.0.1:${port}`);
    const places: Places = {
      databaseUrl: postgres.own.now().url,
      temporalDatabaseUrl: postgres.ofTemporal.now().url,
      temporalPorts: Object.fromEntries(
        TEMPORAL_PORTS.map((variable, index) => [variable, temporalPorts[index]]),
      ) as Places['temporalPorts'],
      dynamicConfigFile: join(folder, 'dynamic-config.yaml'),
      schema: programs.schema,
      temporalConfigFile: join(folder, 'no-temporal.toml'),
      dataDir: await openDataDir(join(folder, 'data')),
    };
    const compose = readCompose(
      file,
      answersFor(places, { apiKey, publicUrl: urls[0] ?? '', env }),
    );
    const server = await startTemporal(site, { compose, places, bin: programs.bin });
    const start = { site, compose, places };
    const apis = await timer.time(`${APIS} APIs`, null, () =>
      startAll(start, 'API', apiPorts, metricsPorts.slice(0, APIS)),
    );
    const workers = await timer.time(`${options.workers} workers`, null, () =>
      startAll(start, 'worker', [], metricsPorts.slice(APIS)),
    );
    keeps = false;
    const running = started.move();
    let stopped: Promise<void> | null = null;
    return {
      url: urls[0] ?? '',
      urls,
      apiKey,
      databaseUrl: places.databaseUrl,
      temporal: { address: addressOf(places), namespace: 'default' },
      apis,
      workers,
      folder,
      logs: site.logs,
      seconds: timer.seconds,
      processes: () => ({
        ...Object.fromEntries([...apis, ...workers].map((part) => [part.name, part.pid()])),
        Postgres: postgres.own.now().pid,
        Temporal: server.now().pid,
        [OF_TEMPORAL]: postgres.ofTemporal.now().pid,
      }),
      keepFolder: () => (keeps = true),
      stop: () => (stopped ??= running.disposeAsync()),
    };
  } catch (error) {
    if (signal.aborted) keeps = false;
    throw error;
  }
}

/** What all parts of a rehearsal share. */
interface Site extends RehearsalOptions {
  folder: string;
  timer: Timer;
  started: AsyncDisposableStack;
  logs: Record<string, string>;
}

async function prepareFolder(folder: string, temporal: string): Promise<void> {
  await chmod(folder, 0o711); // Postgres runs as another user when we are root
  await noteRunning(folder, null);
  await mkdir(join(folder, 'logs'));
  await mkdir(join(folder, 'bin'));
  if (temporal !== 'temporal') await symlink(temporal, join(folder, 'bin', 'temporal'));
}

async function startPostgresServers(
  site: Site,
): Promise<{ own: Kept<EmbeddedPostgres>; ofTemporal: Kept<EmbeddedPostgres> }> {
  const keep = async (name: string, data: string): Promise<Kept<EmbeddedPostgres>> => {
    const dataDir = join(site.folder, data);
    site.logs[name] = join(dataDir, 'postgres.log');
    const kept = await keepServer({
      name,
      start: () => startPostgres({ dataDir, say: site.say }),
      say: site.say,
      stopping: site.signal,
      moved: () => site.say(`${name} has another port now: start the rehearsal again`),
      patience: () => GRACE_MS.server,
    });
    return site.started.use(kept);
  };
  const servers = await site.timer.time('two Postgres servers', null, () =>
    together([keep('Postgres', POSTGRES.millrace), keep(OF_TEMPORAL, POSTGRES.temporal)]),
  );
  const [own, ofTemporal] = servers as [Kept<EmbeddedPostgres>, Kept<EmbeddedPostgres>];
  return { own, ofTemporal };
}

/** Like `Promise.all`, but nothing is still being started when it rejects. */
async function together<T>(starts: Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(starts);
  return Promise.all(starts);
}

/**
 * Creates Temporal's databases, starts its server, and creates the namespace: each as its service in the
 * Compose file.
 */
async function startTemporal(
  { folder, timer, started, logs, env, say, signal }: Site,
  { compose, places, bin }: { compose: Compose; places: Places; bin: string },
): Promise<Kept<TemporalServer>> {
  await writeFile(places.dynamicConfigFile, compose.dynamicConfig);
  const path = [bin, join(folder, 'bin'), env['PATH'] ?? ''].join(delimiter);
  const logOf = (name: string): string => (logs[name] = join(folder, 'logs', `${name}.log`));
  const oneShot = async (
    what: string,
    service: string,
    { script, variables }: ReturnType<typeof schemaScript>,
  ): Promise<void> => {
    const logFile = logOf(service);
    const scriptEnv = { PATH: path, HOME: env['HOME'], ...variables };
    await timer.time(what, logFile, () => runScript(script, { env: scriptEnv, logFile, signal }));
  };
  await oneShot("Temporal's schema", 'temporal-schema', schemaScript(compose, places));
  const logFile = logOf('Temporal');
  const start = async (): Promise<TemporalServer> => {
    const server = await startTemporalServer({
      program: join(bin, 'temporal-server'),
      env: { PATH: path, ...temporalVariables(compose, places) },
      address: addressOf(places),
      logFile,
      signal,
    });
    await noteRunning(folder, server.pid);
    return server;
  };
  const server = await timer.time('Temporal', logFile, () =>
    keepServer({
      name: 'Temporal',
      start,
      say,
      stopping: signal,
      moved: () => undefined, // the server keeps its ports
      patience: () => GRACE_MS.server,
    }),
  );
  started.use(server);
  await oneShot("Temporal's namespace", 'temporal-namespace', namespaceScript(compose, places));
  return server;
}

/** Starts processes of Millrace; each is healthy when this resolves. */
async function startAll(
  { site, compose, places }: { site: Site; compose: Compose; places: Places },
  kind: 'API' | 'worker',
  ports: number[],
  metricsPorts: number[],
): Promise<Part[]> {
  const service = kind === 'API' ? 'server' : 'worker';
  const { PATH, HOME } = site.env;
  const parts: Part[] = [];
  site.started.defer(async () => void (await Promise.all(parts.map((part) => part.stop()))));
  const starts = metricsPorts.map(async (metricsPort, index) => {
    const port = ports[index] ?? null;
    const name = index === 0 ? kind : `${kind} ${index + 1}`;
    const logFile = join(site.folder, 'logs', `${name.replace(' ', '-')}.log`);
    site.logs[name] = logFile;
    const variables = millraceVariables(compose, places, { service, port, metricsPort });
    const part = await site.timer.named(name, logFile, () =>
      startPart({
        name,
        file: new URL(`${service}.ts`, ROOT),
        env: () => ({ PATH, HOME, ...variables, ...site.variables }),
        logFile,
        probe:
          port === null
            ? `http://127.0.0.1:${metricsPort}/metrics`
            : `http://127.0.0.1:${port}/readyz`,
        graceMs: kind === 'API' ? GRACE_MS.api : GRACE_MS.worker,
        say: site.say,
        signal: site.signal,
      }),
    );
    parts.push(part);
    return part;
  });
  return together(starts);
}

/** The values that an operator writes into .env; see docs/operating.md. */
function answersFor(
  { databaseUrl, temporalDatabaseUrl }: Places,
  given: { apiKey: string; publicUrl: string; env: NodeJS.ProcessEnv },
): Record<string, string> {
  return {
    MILLRACE_DB_PASSWORD: new URL(databaseUrl).password,
    TEMPORAL_DB_PASSWORD: new URL(temporalDatabaseUrl).password,
    MILLRACE_API_KEY: given.apiKey,
    MILLRACE_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString('base64')}`,
    MILLRACE_PUBLIC_URL: given.publicUrl,
    MILLRACE_ALERT_EMAIL: 'rehearsal@example.com',
    MILLRACE_ALLOW_CIDRS: '127.0.0.0/8,::1/128', // receivers are on this machine
    LOG_LEVEL: given.env['LOG_LEVEL'] ?? '',
  };
}

async function choosePorts(count: number, taken: number[] = []): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await choosePort(undefined, [...taken, ...ports]));
  return ports;
}

import { join } from 'node:path';

import { loadConfig, type Config } from '../process/config.ts';
import { sparingLoopback } from '../process/proxies.ts';
import { localUrl } from '../process/publicUrl.ts';
import { userCacheDir } from './cache.ts';
import { keepChild, type Child } from './children.ts';
import { ensureConsole } from './console.ts';
import { keepServer } from './keepServer.ts';
import { developmentKeys } from './keys.ts';
import { lockDataDir } from './lock.ts';
import { openOwnLog } from './ownLog.ts';
import { startPostgres, type EmbeddedPostgres, type EmbeddedServer } from './postgres.ts';
import { until } from './processes.ts';
import { createReceiver, type Receiver } from './receiver.ts';
import { createSecretReader } from './receiverSecrets.ts';
import { signInLink } from './signIn.ts';
import { choosePort, isPortFree, openDataDir } from './state.ts';
import { startTemporal, type EmbeddedTemporal } from './temporal.ts';

/** A stop may take 20 s: the children get `DRAIN_MS`, and the servers the rest of `STOP_MS`. */
const STOP_MS = 19_000;
const DRAIN_MS = 17_000;
const READY_MS = 60_000;
/** A child that has ended this often before the first successful `/readyz` will not come up. */
const HOPELESS = 4;
/** What has died before may answer for a moment and die again: it counts as ready once it answers for this long. */
const STEADY_MS = 3_000;

/** What to start, and how to report on it. */
export interface StackOptions {
  /** The environment that configures everything; the processes get it as well. */
  env: NodeJS.ProcessEnv;
  /** Whether to run the development receiver. */
  receiver: boolean;
  say: (line: string) => void;
  /** Gets a sentence at each step of the start. */
  onStep?: (line: string) => void;
  /**
   * Whether the API and the worker log into a file of the data folder, so that `say` gets their warnings and errors in
   * plain words; otherwise they print to stderr.
   */
  ownLog?: boolean;
  /** Aborting it gives up starting. */
  signal?: AbortSignal;
  /** The entry files of both processes; server.ts and worker.ts by default. */
  entries?: { server: URL; worker: URL };
}

/** A running Millrace with everything it needs. */
export interface Stack {
  url: string;
  apiKey: string;
  dataDir: string;
  databaseUrl: string;
  temporal: { address: string; namespace: string };
  uiUrl: string | null;
  receiver: Receiver | null;
  /** The file that the API and the worker log into; null while they print to stderr. */
  logFile: string | null;
  /** Creates a link that signs a browser in once; null when the API does not provide one. */
  signInLink(): Promise<string | null>;
  /** The ids of the running processes by name: API, worker, Postgres, Temporal. */
  processes(): Record<string, number | null>;
  /** Drains, commits and stops everything that was started, within 20 s. The data stays. */
  stop(): Promise<void>;
  /** Cuts the drain of a running `stop` short. */
  hurry(): void;
}

const ENTRIES = {
  server: new URL('../../server.ts', import.meta.url),
  worker: new URL('../../worker.ts', import.meta.url),
};

/**
 * Starts everything: the embedded servers that the environment does not replace, keys, the receiver, one API
 * and one worker process. Servers and processes are restarted when they end. Resolves once `/readyz` answers
 * 200. Rejects with `ConfigError`, `DataDirInUse` or the error that kept it from starting, after stopping what
 * it had started.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const env = sparingLoopback(options.env); // what runs here talks to each other directly
  const config = loadConfig(env, 'dev');
  const dataDir = await openDataDir(config.dataDir);
  const port = config.port === 0 ? await choosePort(undefined) : config.port;
  const url = localUrl({ host: config.host, port });
  const stopping = new AbortController();
  const timing = { deadline: Infinity };
  const patience = (): number =>
    Math.min(10_000, Math.max(1_000, timing.deadline - performance.now()));
  await using started = new AsyncDisposableStack();

  const lock = started.use(await lockDataDir(dataDir, url));
  await waitForPort(port, config.host, lock.takenOver, options.say);
  const log = options.ownLog === true ? started.use(await openOwnLog(dataDir, options.say)) : null;
  const say = log?.say ?? options.say;
  const step = (line: string): void => options.onStep?.(line);
  step(`Starting everything; its data is in ${dataDir}`);
  const keys = await developmentKeys(dataDir);
  await ensureConsole(say).catch((error: Error) =>
    say(`Starting without the console. ${error.message}`),
  );

  const children: Child[] = [];
  const restart = (): void => children.forEach((child) => child.restart());
  const keep = <S extends EmbeddedServer>(name: string, start: () => Promise<S>) =>
    keepServer({ name, start, say, stopping: stopping.signal, moved: restart, patience });
  const [postgres, temporal] = await settleAll(started, [
    config.databaseUrl === null
      ? keep<EmbeddedPostgres>('Postgres', () => startPostgres({ dataDir, say }))
      : Promise.resolve(null),
    config.temporalAddress === null
      ? keep<EmbeddedTemporal>('Temporal', () =>
          startTemporal({ dataDir, say, env, namespace: config.temporalNamespace }),
        )
      : Promise.resolve(null),
  ]);
  step(postgres === null ? 'Using the Postgres of DATABASE_URL' : 'Postgres is running');
  step(temporal === null ? 'Using the Temporal of TEMPORAL_ADDRESS' : 'Temporal is running');
  const databaseUrl = (): string => postgres?.now().url ?? (config.databaseUrl as string);
  const address = (): string => temporal?.now().address ?? (config.temporalAddress as string);
  const uiUrl = temporal?.now().uiUrl ?? config.temporalUiUrl;
  const apiKey = config.apiKey ?? keys.apiKey;
  const encryptionKeys = env['MILLRACE_ENCRYPTION_KEYS'] || keys.encryptionKeys;

  let receiver: Receiver | null = null;
  if (options.receiver) {
    const secrets = started.use(createSecretReader({ databaseUrl, encryptionKeys }));
    receiver = started.use(await createReceiver({ dataDir, secrets: () => secrets.read() }));
  }

  const childEnv = (): NodeJS.ProcessEnv => ({
    NODE_COMPILE_CACHE: join(userCacheDir(env), 'compiled'), // unless it is set; that of bin/millrace.cjs
    ...(temporal === null ? env : localTemporal(env, address(), config)),
    DATABASE_URL: databaseUrl(),
    MILLRACE_HOST: config.host,
    MILLRACE_PORT: String(port),
    MILLRACE_DATA_DIR: dataDir,
    MILLRACE_API_KEY: apiKey,
    MILLRACE_ENCRYPTION_KEYS: encryptionKeys,
    MILLRACE_ALLOW_CIDRS: config.allowCidrs.join(','),
    MILLRACE_SUPERVISED: '1',
    ...(uiUrl === null ? {} : { MILLRACE_TEMPORAL_UI_URL: uiUrl }),
    ...(receiver === null ? {} : { MILLRACE_DEV_RECEIVER_URL: receiver.url }),
  });
  const entries = options.entries ?? ENTRIES;
  const logged = log === null ? {} : { logFile: log.path };
  step('Bringing the tables up to date, and starting the API and the worker');
  children.push(
    // Two processes can't share the metrics port: the worker gets it, the API has /metrics.
    keepChild({
      name: 'API',
      file: entries.server,
      env: () => ({ ...childEnv(), MILLRACE_METRICS_PORT: '' }),
      say,
      ...logged,
    }),
    keepChild({ name: 'worker', file: entries.worker, env: childEnv, say, ...logged }),
  );
  started.defer(async () => {
    stopping.abort();
    timing.deadline = performance.now() + STOP_MS;
    await Promise.all(children.map((child) => child.stop(DRAIN_MS)));
  });
  await whenReady(url, children, { signal: options.signal, logFile: log?.path });
  step('The tables are up to date; the API and the worker are running');

  const running = started.move();
  let stopped: Promise<void> | null = null;
  return {
    url,
    apiKey,
    dataDir,
    databaseUrl: databaseUrl(),
    temporal: { address: address(), namespace: config.temporalNamespace },
    uiUrl,
    receiver,
    logFile: log?.path ?? null,
    signInLink: () => signInLink({ url, apiKey }),
    processes: () => ({
      ...Object.fromEntries(children.map((child) => [child.name, child.pid()])),
      ...(postgres !== null && { Postgres: postgres.now().pid }),
      ...(temporal !== null && { Temporal: temporal.now().pid }),
    }),
    stop: () => (stopped ??= running.disposeAsync()),
    hurry: () => {
      timing.deadline = 0;
      children.forEach((child) => child.kill());
    },
  };
}

/** Waits for two concurrent starts; when one fails, the other is stopped with the rest. */
async function settleAll<A extends AsyncDisposable, B extends AsyncDisposable>(
  started: AsyncDisposableStack,
  starts: [Promise<A | null>, Promise<B | null>],
): Promise<[A | null, B | null]> {
  const [first, second] = await Promise.allSettled(starts);
  if (first.status === 'fulfilled') started.use(first.value);
  if (second.status === 'fulfilled') started.use(second.value);
  if (first.status === 'rejected') throw first.reason;
  if (second.status === 'rejected') throw second.reason;
  return [first.value, second.value];
}

/** Waits for the port only if a killed supervisor's processes hold it: they drain, then release it. */
async function waitForPort(
  port: number,
  host: string,
  takenOver: boolean,
  say: (line: string) => void,
): Promise<void> {
  const isFree = await isPortFree(port, host).catch((error: NodeJS.ErrnoException) => {
    throw new Error(
      `Millrace can't listen on port ${port} of ${host} (${error.code}): set MILLRACE_PORT to a port that you may use, and MILLRACE_HOST to an address of this machine.`,
      { cause: error },
    );
  });
  if (isFree) return;
  if (takenOver) {
    say(`The processes of a run that was killed are still stopping: waiting for port ${port}`);
    if (await until(() => isPortFree(port, host), 20_000, 100)) return;
  }
  throw new Error(
    `Port ${port} on ${host} is taken by another program: stop it, or set MILLRACE_PORT.`,
  );
}

async function whenReady(
  url: string,
  children: Child[],
  { signal, logFile }: { signal: AbortSignal | undefined; logFile: string | undefined },
): Promise<void> {
  const where = logFile === undefined ? '' : `; the whole log is in ${logFile}`;
  let answer = 'no answer';
  let since = { deaths: 0, at: -Infinity };
  const up = await until(
    async () => {
      signal?.throwIfAborted();
      const hopeless = children.find((child) => child.deaths() >= HOPELESS);
      if (hopeless !== undefined) {
        throw new Error(
          `The ${hopeless.name} process does not stay up. The reason is printed above${where}.`,
        );
      }
      try {
        const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
        answer = `${response.status} ${(await response.text()).slice(0, 500)}`;
        if (response.status !== 200) return false;
        const deaths = children.reduce((sum, child) => sum + child.deaths(), 0);
        if (deaths !== since.deaths) since = { deaths, at: performance.now() };
        return performance.now() - since.at > STEADY_MS;
      } catch {
        return false; // not listening yet
      }
    },
    READY_MS,
    100,
  );
  if (up) return;
  throw new Error(`${url}/readyz is not 200 after ${READY_MS / 1000} s: ${answer}${where}`);
}

/** Replaces all settings of Temporal: the user's API key or TLS would not fit the embedded server. */
function localTemporal(env: NodeJS.ProcessEnv, address: string, config: Config): NodeJS.ProcessEnv {
  return {
    ...Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TEMPORAL_'))),
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: config.temporalNamespace,
    TEMPORAL_CONFIG_FILE: join(config.dataDir, 'no-temporal.toml'), // does not exist, so that the user's is not read
  };
}

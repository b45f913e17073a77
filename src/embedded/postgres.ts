import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';

import { Client } from 'pg';
import { z } from 'zod';

import { logSize } from './logFile.ts';
import {
  findPostgres,
  giveTo,
  placeCluster,
  PLACES,
  postgresOwner,
  type Places,
  type PostgresBinaries,
} from './postgresFiles.ts';
import {
  commandLine,
  spawnDetached,
  stopProcess,
  until,
  whenGone,
  type Owner,
} from './processes.ts';
import { choosePort, isPortFree, openDataDir, readState, readText, writeState } from './state.ts';

/** A server that this process has started and that may outlive it. */
export interface EmbeddedServer {
  pid: number;
  /** Resolves when the process has ended, for whatever reason. */
  gone(signal?: AbortSignal): Promise<void>;
  /** Ends it cleanly, and by force after `patienceMs` (10 s by default). The data stays either way. */
  stop(patienceMs?: number): Promise<void>;
}

/** A running Postgres with its files in the data folder. */
export interface EmbeddedPostgres extends EmbeddedServer {
  url: string;
}

/** Where the Postgres of a data folder keeps its files. */
export interface PostgresOptions {
  dataDir: string;
  /** Called with a sentence about what takes long or is stored in an unexpected place. */
  say: (line: string) => void;
  /** Folders for a cluster or binaries that can't stay in the project. */
  places?: Places;
  /** Server settings beside those that every start has. */
  settings?: Record<string, string>;
  /** The unpacked package of another Postgres than the one that is installed. */
  packageDir?: string;
}

const run = promisify(execFile);
const USER = 'millrace';
const DATABASE = 'millrace';
/** Long enough for the recovery after a crash, which replays at most about `max_wal_size`. */
const START_MS = 60_000;
const LEAVING_MS = 5_000;
/** The first Postgres that brings locales of its own; one before it has to do with those of C. */
const OWN_LOCALES = 17;

const State = z.object({ port: z.int(), password: z.string(), cluster: z.string() });
type State = z.infer<typeof State>;

/** The promise of a 2xx depends on the first three, so they are on even in tests and benchmarks. */
const SETTINGS = {
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '256MB',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Keeps statements and rows out of the log, as they may hold data of entries.
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
};

/**
 * Starts a real Postgres on loopback with its files in the data folder, which the first start creates.
 * Reuses the server that a killed process has left running there. When we are root, it runs as an
 * unprivileged user. It has its own process group and outlives us until `stop`.
 */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const dataDir = await openDataDir(options.dataDir);
  const places = options.places ?? PLACES;
  const owner = postgresOwner();
  const stateFile = join(dataDir, 'postgres.json');
  const binaries = await findPostgres(owner, places, options.say, options.packageDir);

  const known = await readState(stateFile, State);
  const state = known ?? {
    port: await choosePort(undefined),
    password: randomBytes(24).toString('base64url'),
    cluster: await placeCluster(dataDir, owner, places.systemDir, options.say),
  };
  if (known === null) await writeState(stateFile, state);
  await prepareCluster(state, binaries, owner, stateFile);

  const running = await findRunning(state.cluster);
  if (running !== null) {
    if (running.port !== state.port) await writeState(stateFile, { ...state, port: running.port });
    return ready(state, running);
  }
  await leftBy(state);
  const port = await choosePort(state.port);
  if (port !== state.port) {
    options.say(`Port ${state.port} is taken: Postgres moves to ${port}`);
    await writeState(stateFile, { ...state, port });
  }
  const logFile = join(dataDir, 'postgres.log');
  const settings = { ...SETTINGS, ...options.settings };
  const pid = await launch({ ...state, port }, binaries, owner, { logFile, settings });
  return ready(state, { pid, port });
}

/** The URL of the data folder's Postgres, whether it runs or not; null when the folder has none. */
export async function keptPostgresUrl(dataDir: string): Promise<string | null> {
  const state = await readState(join(dataDir, 'postgres.json'), State);
  if (state === null) return null;
  return `postgres://${USER}:${state.password}@127.0.0.1:${state.port}/${DATABASE}`;
}

interface Running {
  pid: number;
  port: number;
}

async function ready(state: State, { pid, port }: Running): Promise<EmbeddedPostgres> {
  const data = join(state.cluster, 'data');
  const ours = (one: number): boolean => isPostmaster(one, data);
  const address = `postgres://${USER}:${state.password}@127.0.0.1:${port}`;
  await ensureDatabase(`${address}/postgres`);
  return {
    pid,
    url: `${address}/${DATABASE}`,
    gone: (signal) => whenGone(pid, ours, signal),
    // Fast shutdown (rolls back, checkpoints), then immediate (recovers from WAL at the next start).
    stop: (patienceMs = 10_000) =>
      stopProcess(pid, ours, [
        ['SIGINT', patienceMs],
        ['SIGQUIT', 5_000],
      ]),
  };
}

async function prepareCluster(
  state: State,
  binaries: PostgresBinaries,
  owner: Owner,
  stateFile: string,
): Promise<void> {
  const data = join(state.cluster, 'data');
  const version = await readText(join(data, 'PG_VERSION'));
  if (version === null) return initCluster(state, binaries, owner);
  if (version.trim() === binaries.major) return;
  throw new Error(
    `${data} was created by Postgres ${version.trim()}, and this version of Millrace brings Postgres ${binaries.major}, which can't open it. Dump it with the old one and set DATABASE_URL, or start with an empty data folder (${stateFile} names this one).`,
  );
}

const BUILTIN_LOCALE = ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'];

/** Creates the cluster in a draft folder and renames it, so that a kill leaves no incomplete cluster. */
async function initCluster(state: State, binaries: PostgresBinaries, owner: Owner): Promise<void> {
  const draft = join(state.cluster, 'draft');
  const password = join(state.cluster, 'password');
  await mkdir(state.cluster, { recursive: true, mode: 0o700 });
  await giveTo(owner, state.cluster);
  await rm(draft, { recursive: true, force: true });
  await writeFile(password, state.password, { mode: 0o600 });
  await giveTo(owner, password);
  try {
    await run(
      join(binaries.folder, 'bin', 'initdb'),
      [
        `--pgdata=${draft}`,
        `--username=${USER}`,
        `--pwfile=${password}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        ...(Number(binaries.major) < OWN_LOCALES ? [] : BUILTIN_LOCALE),
        '--no-instructions',
      ],
      { ...owner, cwd: '/', env: {} },
    );
  } catch (cause) {
    const { stderr } = cause as { stderr?: string };
    throw new Error(`Postgres could not create ${draft}: ${stderr?.trim() || String(cause)}`, {
      cause,
    });
  } finally {
    await rm(password, { force: true });
  }
  await rename(draft, join(state.cluster, 'data'));
}

async function launch(
  state: State,
  binaries: PostgresBinaries,
  owner: Owner,
  { logFile, settings }: { logFile: string; settings: Record<string, string> },
): Promise<number> {
  const data = join(state.cluster, 'data');
  const deadline = performance.now() + START_MS;
  for (;;) {
    await disownStalePid(data);
    const logged = await logSize(logFile);
    const child = spawnDetached({
      command: join(binaries.folder, 'bin', 'postgres'),
      args: [
        '-D',
        data,
        `--port=${state.port}`,
        ...Object.entries(settings).map(([key, value]) => `--${key}=${value}`),
      ],
      env: {},
      logFile,
      owner,
    });
    let failure: string | null = null;
    child.once('error', (error) => (failure = String(error)));
    child.once('exit', (code, signal) => (failure ??= `it ended with ${signal ?? code}`));
    const pid = child.pid;
    const up = await until(
      async () => failure !== null || (await readPidFile(data))?.ready === pid,
      deadline - performance.now(),
      5,
    );
    if (up && failure === null && pid !== undefined) return pid;
    const log = (await readFile(logFile, 'utf8')).slice(logged).trim();
    // After kill -9 of a postmaster its backends need a moment to notice and end.
    const leaving = /shared memory block|is another postmaster/u.test(log);
    if (!leaving || performance.now() > deadline) {
      child.kill('SIGQUIT');
      throw new Error(`Postgres did not start: ${failure ?? 'no answer'}; ${logFile}: ${log}`);
    }
    await wait(100);
  }
}

/**
 * Postgres believes that its pid file belongs to a live server when that server is a zombie that was
 * never reaped, or when another process of the same user has its pid (a restarted container assigns the
 * same ones again). Only the pid is replaced: the rest guards against backends that still run.
 */
async function disownStalePid(data: string): Promise<void> {
  const file = await readPidFile(data);
  if (file === null || isPostmaster(file.pid, data)) return;
  const noProcess = '2147483646';
  // Overwritten in place: truncated first, it would stay empty on a full disk, which Postgres refuses.
  await using handle = await open(join(data, 'postmaster.pid'), 'r+');
  await handle.write([noProcess, ...file.lines.slice(1)].join('\n'), 0);
}

async function findRunning(cluster: string): Promise<Running | null> {
  const data = join(cluster, 'data');
  const file = await readPidFile(data);
  if (file === null || !isPostmaster(file.pid, data)) return null;
  const { pid } = file;
  const up = await until(async () => {
    if (!isPostmaster(pid, data)) return true;
    return (await readPidFile(data))?.ready === pid;
  }, START_MS);
  if (!isPostmaster(pid, data)) return null;
  const port = Number((await readPidFile(data))?.lines[3]);
  if (up && Number.isInteger(port)) return { pid, port };
  throw new Error(`Postgres (process ${pid}) runs on ${data} but has not become ready`);
}

/** Waits for the port, which the children of a postmaster killed with -9 hold for some milliseconds longer. */
async function leftBy({ cluster, port }: State): Promise<void> {
  if ((await readPidFile(join(cluster, 'data'))) === null) return; // it ended cleanly, or never ran
  await until(() => isPortFree(port), LEAVING_MS, 5);
}

/** Whether a pid is the postmaster of this cluster. Never signal a pid that this has not confirmed. */
function isPostmaster(pid: number, data: string): boolean {
  return commandLine(pid)?.includes(`/bin/postgres -D ${data} `) === true;
}

interface PidFile {
  pid: number;
  /** The pid once the server accepts connections, null before. */
  ready: number | null;
  lines: string[];
}

/** Reads postmaster.pid: pid, data folder, start, port, socket folder, address, shared memory, status. */
async function readPidFile(data: string): Promise<PidFile | null> {
  const text = await readText(join(data, 'postmaster.pid'));
  const lines = text?.split('\n') ?? [];
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return null;
  return { pid, ready: lines[7]?.trim() === 'ready' ? pid : null, lines };
}

async function ensureDatabase(url: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [
      DATABASE,
    ]);
    if (rowCount === 0) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
}

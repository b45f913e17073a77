import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Connection } from '@temporalio/client';
import { z } from 'zod';

import { channelArgsFor } from '../process/proxies.ts';
import { SEARCH_ATTRIBUTES } from '../process/searchAttributeNames.ts';
import type { EmbeddedServer } from './postgres.ts';
import { commandLine, spawnDetached, stopProcess, until, whenGone } from './processes.ts';
import { choosePort, openDataDir, readState, writeState } from './state.ts';
import { findTemporal } from './temporalBinary.ts';

/** A running Temporal development server. */
export interface EmbeddedTemporal extends EmbeddedServer {
  address: string;
  uiUrl: string;
}

/** How to start the Temporal of a data folder. */
export interface TemporalOptions {
  dataDir: string;
  say: (line: string) => void;
  env: NodeJS.ProcessEnv;
  namespace?: string;
  /** Settings that are added to Millrace's and override them. Values are JSON. */
  dynamicConfig?: Record<string, unknown>;
  /** The folder for a downloaded server. */
  cacheDir?: string;
}

const State = z.object({ port: z.int(), uiPort: z.int(), pid: z.int().positive().nullable() });
const START_MS = 30_000;

/** The address of the data folder's Temporal, whether it runs or not; null when the folder has none. */
export async function keptTemporalAddress(dataDir: string): Promise<string | null> {
  const state = await readState(join(dataDir, 'temporal.json'), State);
  return state === null ? null : `127.0.0.1:${state.port}`;
}

/**
 * Raises the limits, which are meant for a shared server with many users; this one has one user, and one sqlite
 * file.
 */
const DYNAMIC_CONFIG: Record<string, unknown> = {
  'frontend.rps': 20_000,
  'frontend.namespaceRPS': 20_000,
  'frontend.namespaceCount': 20_000,
  'frontend.persistenceMaxQPS': 20_000,
  'history.rps': 20_000,
  'matching.rps': 20_000,
  'matching.numTaskqueueReadPartitions': 1,
  'matching.numTaskqueueWritePartitions': 1,
};

/**
 * Starts the official development server and its UI on loopback, with its data in the data folder.
 * Reuses the server that a killed process has left running there. It has its own process group and
 * outlives us until `stop`.
 */
export async function startTemporal(options: TemporalOptions): Promise<EmbeddedTemporal> {
  const dataDir = await openDataDir(options.dataDir);
  const stateFile = join(dataDir, 'temporal.json');
  const database = join(dataDir, 'temporal.db');
  const namespace = options.namespace ?? 'default';
  const ours = (pid: number): boolean => isServer(pid, database);

  const kept = await readState(stateFile, State);
  if (kept?.pid != null && ours(kept.pid)) {
    const { pid } = kept;
    if (await answers(kept.port, namespace, () => ours(pid))) return handle(kept, pid, ours);
    await end(pid, ours);
  }
  const port = await choosePort(kept?.port);
  const uiPort = await choosePort(kept?.uiPort, [port]);
  const program = await findTemporal(options);
  const logFile = join(dataDir, 'temporal.log');
  const child = spawnDetached({
    command: program,
    args: serverArgs({ ...options, namespace, database, port, uiPort }),
    // The flags configure the server; no TEMPORAL_* variable of the user may change that.
    env: Object.fromEntries(
      Object.entries(options.env).filter(([key]) => !key.startsWith('TEMPORAL_')),
    ),
    logFile,
  });
  let failure: string | null = null;
  child.once('error', (error) => (failure = String(error)));
  child.once('exit', (code, signal) => (failure ??= `it ended with ${signal ?? code}`));
  const { pid } = child;
  await writeState(stateFile, { port, uiPort, pid: pid ?? null });
  const up = await answers(port, namespace, () => failure === null);
  if (!up || pid === undefined) {
    child.kill('SIGKILL');
    const log = (await readFile(logFile, 'utf8')).trim().split('\n').slice(-5).join('\n');
    throw new Error(`Temporal did not start: ${failure ?? 'no answer'}; ${logFile}: ${log}`);
  }
  return handle({ port, uiPort }, pid, ours);
}

function handle(
  ports: { port: number; uiPort: number },
  pid: number,
  ours: (pid: number) => boolean,
): EmbeddedTemporal {
  return {
    pid,
    address: `127.0.0.1:${ports.port}`,
    uiUrl: `http://127.0.0.1:${ports.uiPort}`,
    gone: (signal) => whenGone(pid, ours, signal),
    stop: (patienceMs) => end(pid, ours, patienceMs),
  };
}

function end(pid: number, ours: (pid: number) => boolean, patienceMs = 10_000): Promise<void> {
  return stopProcess(pid, ours, [
    ['SIGTERM', patienceMs],
    ['SIGKILL', 2_000], // safe: every answered write is in sqlite's log
  ]);
}

function serverArgs(options: {
  database: string;
  namespace: string;
  port: number;
  uiPort: number;
  dynamicConfig?: Record<string, unknown>;
}): string[] {
  const dynamic = Object.entries({ ...DYNAMIC_CONFIG, ...options.dynamicConfig });
  return [
    'server',
    'start-dev',
    `--db-filename=${options.database}`,
    '--ip=127.0.0.1',
    `--port=${options.port}`,
    `--ui-port=${options.uiPort}`,
    `--namespace=${options.namespace}`,
    '--log-level=error',
    '--ui-disable-news-fetch',
    '--sqlite-pragma=journal_mode=WAL',
    '--sqlite-pragma=synchronous=NORMAL',
    ...SEARCH_ATTRIBUTES.map((name) => `--search-attribute=${name}=Keyword`),
    ...dynamic.map(([key, value]) => `--dynamic-config-value=${key}=${JSON.stringify(value)}`),
  ];
}

function isServer(pid: number, database: string): boolean {
  return commandLine(pid)?.includes(`server start-dev --db-filename=${database} `) === true;
}

/** Whether gRPC answers and knows the namespace, within 30 s and while `running` returns true. */
async function answers(port: number, namespace: string, running: () => boolean): Promise<boolean> {
  const address = `127.0.0.1:${port}`;
  const connection = Connection.lazy({
    address,
    channelArgs: {
      ...channelArgsFor(address).channelArgs,
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 100,
    },
  });
  let up = false;
  try {
    await until(async () => {
      if (!running()) return true;
      up = await connection
        .withDeadline(Date.now() + 1_000, () =>
          connection.workflowService.describeNamespace({ namespace }),
        )
        .then(
          () => true,
          () => false, // not listening yet, or the namespace is not registered yet
        );
      return up;
    }, START_MS);
  } finally {
    await connection.close();
  }
  return up && running();
}

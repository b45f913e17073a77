import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Client as Postgres } from 'pg';
import { inject } from 'vitest';

import { commandLine } from '../../src/embedded/processes.ts';
import { choosePort } from '../../src/embedded/state.ts';
import type { Consumer } from '../../src/schema/consumer.ts';
import type { Target } from '../../src/schema/target.ts';
import { COMPILE_CACHE } from './compileCache.ts';
import { until } from './poll.ts';

const ROOT = new URL('../../', import.meta.url);
const KEY = 'cluster-test-key-0123456789';
/** Each commit renews it. */
const DRAIN_LEASE_MS = 8_000;

/** One server.ts or worker.ts. */
export interface Running {
  pid: number;
  stdout(): string;
  stderr(): string;
  /** SIGKILL; resolves when it is gone. */
  killHard(): Promise<void>;
  /** SIGTERM; resolves with its exit code. */
  stop(): Promise<number | null>;
}

/** The two production processes, as real processes, on real servers. */
export interface Cluster extends AsyncDisposable {
  /** Of the API, for a tool that reads the environment. */
  api: { MILLRACE_URL: string; MILLRACE_API_KEY: string };
  /** Of its processes. */
  env: Record<string, string>;
  startServer(): Promise<Running>;
  /** `more`: variables of this one alone; `spawned` gets the process before it is up. */
  startWorker(more?: Record<string, string>, spawned?: (run: Running) => unknown): Promise<Running>;
  /** The answer's body; throws unless it is 2xx. */
  request<T>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<T>;
  /** A consumer of the events stream with a target there. */
  consumer(url: string, input?: object): Promise<Consumer>;
  get(id: string): Promise<Consumer>;
  caughtUp(id: string, timeoutMs: number): Promise<Consumer>;
  /** The pid of the process that sends for the consumer; null while none does. */
  senderOf(id: string): Promise<number | null>;
  /** Positions of the consumer that are settled in Postgres. */
  settled(id: string): Promise<{ position: number; ahead: Set<number> }>;
  /** When its sender last stored what it had done, monotonic ms; Infinity: nothing was stored, and it has let go. */
  storedAt(id: string): Promise<number>;
}

/** When a sender has last stored what came of its requests; by its lease before there were any. */
const STORED_AT = `
  coalesce(greatest(
    (select max(b.committed_at) from attempt_batches b where b.consumer_id = cursors.consumer_id),
    (select max(a.stored_at) from attempts a where a.consumer_id = cursors.consumer_id)),
    lease_until - interval '${DRAIN_LEASE_MS} ms')`;

/** On a database of the caller's and the run's Temporal, with task queues and a data folder of its own. */
export async function openCluster(
  databaseUrl: string,
  more: Record<string, string> = {},
): Promise<Cluster> {
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-cluster-'));
  const port = await choosePort(undefined);
  const url = `http://127.0.0.1:${port}`;
  const env = {
    ...ownSettings(databaseUrl),
    MILLRACE_PORT: String(port),
    MILLRACE_PUBLIC_URL: url,
    MILLRACE_DATA_DIR: dataDir,
    ...more,
  };
  const running: Running[] = [];

  async function start(
    entry: string,
    isUp: (run: Running) => unknown,
    own: Record<string, string> = {},
    spawned?: (run: Running) => unknown,
  ): Promise<Running> {
    const run = spawnEntry(entry, { ...env, ...own });
    running.push(run);
    spawned?.(run);
    await until(
      () => {
        if (commandLine(run.pid) === null) throw new Error(`${entry} ended: ${run.stderr()}`);
        return isUp(run);
      },
      { timeoutMs: 120_000, what: `${entry} is up` },
    );
    return run;
  }

  async function request<T>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<T> {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${env.MILLRACE_API_KEY}`,
        'content-type': 'application/json',
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text === '' ? 'null' : text) as T; // a 204 has none
  }

  /** A connection for each query: Postgres may have been killed since the last. */
  async function cursor<T>(id: string, columns: string): Promise<T> {
    const client = new Postgres({ connectionString: databaseUrl });
    await client.connect();
    try {
      const { rows } = await client.query(`select ${columns} from cursors where consumer_id = $1`, [
        id,
      ]);
      return rows[0] as T;
    } finally {
      await client.end();
    }
  }

  const get = (id: string): Promise<Consumer> => request('GET', `/v1/consumers/${id}`);
  return {
    env: env as Record<string, string>,
    api: { MILLRACE_URL: url, MILLRACE_API_KEY: KEY },
    startServer: () =>
      start('server.ts', () => fetch(`${url}/readyz`).then((response) => response.ok)),
    startWorker: (own, spawned) =>
      start('worker.ts', (run) => run.stderr().includes('the worker is running'), own, spawned),
    request,
    consumer: async (target, input = {}) => {
      const { id } = await request<Target>('POST', '/v1/targets', { name: 'r', base_url: target });
      return request('POST', '/v1/consumers', {
        name: 'all',
        target_id: id,
        stream: 'events',
        start: 'beginning',
        ...input,
      });
    },
    get,
    caughtUp: (id, timeoutMs) =>
      until(
        async () => {
          const one = await get(id);
          return one.lag.entries === 0 && one;
        },
        { timeoutMs, what: `consumer ${id} catches up` },
      ),
    senderOf: async (id) => {
      const { holder } = await cursor<{ holder: string | null }>(id, 'holder');
      return holder === null ? null : Number(holder.split('/')[1]);
    },
    settled: async (id) => {
      const row = await cursor<{ position: string; ahead: string[] }>(id, 'position, ahead');
      return { position: Number(row.position), ahead: new Set(row.ahead.map(Number)) };
    },
    storedAt: async (id) => {
      const at = `(extract(epoch from ${STORED_AT}) * 1000)::float8 as at`;
      return (
        ((await cursor<{ at: number | null }>(id, at)).at ?? Infinity) - performance.timeOrigin
      );
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(running.map((run) => run.stop()));
      await rm(dataDir, { recursive: true });
    },
  };
}

/** What its processes have in common, with keys of their own. */
function ownSettings(databaseUrl: string) {
  return {
    ...COMPILE_CACHE,
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    DATABASE_URL: databaseUrl,
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    MILLRACE_TASK_QUEUE: `cluster-${randomUUID().slice(0, 8)}`,
    MILLRACE_WORKFLOW_BUNDLE: inject('workflowBundle'), // `npm start` bundles them itself, in its own tests
    MILLRACE_API_KEY: KEY,
    MILLRACE_ENCRYPTION_KEYS: `test:${randomBytes(32).toString('base64')}`,
    MILLRACE_ALLOW_CIDRS: '127.0.0.0/8',
    MILLRACE_ALERT_EMAIL: 'ops@example.com',
  };
}

function spawnEntry(entry: string, env: NodeJS.ProcessEnv): Running {
  const child = spawn(process.execPath, [fileURLToPath(new URL(entry, ROOT))], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${entry} did not start`);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const end = (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return exited;
  };
  return {
    pid,
    stdout: () => stdout,
    stderr: () => stderr,
    killHard: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
  };
}

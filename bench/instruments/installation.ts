import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client as Temporal, Connection } from '@temporalio/client';
import { Client } from 'pg';

import { startStack, type Stack } from '../../src/embedded/stack.ts';
import type { Consumer, ConsumerInput } from '../../src/schema/consumer.ts';
import type { Target } from '../../src/schema/target.ts';
import { workflowIdOf } from '../../src/temporal/workflowClient.ts';
import { cpuBetween, readCpu, type Cpu } from './cpu.ts';
import { startEndpoint, type Endpoint } from './endpoint.ts';
import { countHistory } from './history.ts';
import { holdsWithin } from './poll.ts';

/** Millrace as `npm start` runs it, on a data folder of its own, and the endpoint that it sends to. */
export interface Installation extends AsyncDisposable {
  url: string;
  apiKey: string;
  databaseUrl: string;
  endpoint: Endpoint;
  /** The bench's own connection to Postgres. */
  sql: Client;
  /** Postgres' settings for durability, as Postgres reports them. */
  settings: Record<string, string>;
  /** Makes a request to the API; throws unless it is answered 2xx. */
  api<Answer>(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Creates a consumer of the events stream that sends to the endpoint. */
  consumer(input: Partial<ConsumerInput>): Promise<Consumer>;
  /** The number of events in the history of the consumer's workflow. */
  historyLength(consumerId: string): Promise<number>;
  /** The number of activities that Temporal has open for the consumer. */
  pendingActivities(consumerId: string): Promise<number>;
  /** Whether the worker with this process id polls Temporal for workflow tasks. */
  polls(pid: number): Promise<boolean>;
  /** The number of events in the histories of all workflows, including those that have ended. */
  historyEvents(): Promise<number>;
  /** Runs `work`; returns its result and the CPU seconds that each process used during it. */
  usage<Result>(work: () => Promise<Result>): Promise<{ result: Result; cpu: Cpu }>;
  /** The ids of the running processes, by name. */
  pids(): Record<string, number | null>;
  /** Polls until `done` holds; throws when it does not within the time, two minutes by default. */
  until(what: string, done: () => Promise<boolean>, timeoutMs?: number): Promise<void>;
}

/** How an installation is started. */
export interface InstallationOptions {
  /** A folder into which Node writes CPU profiles of the API and the worker; null: no profiles. */
  profileDir: string | null;
  /** Where the logs of a rehearsal's processes go at the end; null: nowhere. */
  logsDir: string | null;
  /** Further environment variables. */
  variables?: NodeJS.ProcessEnv;
  /** Aborts the start. */
  signal: AbortSignal;
}

const MAX_IN_FLIGHT = 64;
const TASK_QUEUE = 'millrace';

const UNTIL_MS = 120_000;

/** Starts everything; disposing of it stops it and removes the data folder. */
export async function openInstallation(options: InstallationOptions): Promise<Installation> {
  await using started = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  await chmod(folder, 0o711); // Postgres runs as another user when we are root
  started.defer(() => rm(folder, { recursive: true, force: true }));
  const endpoint = started.use(await startEndpoint());
  const stack = await startStack({
    env: environment(folder, options),
    receiver: false,
    signal: options.signal,
    say: (line) => process.stderr.write(`  ${line}\n`),
  });
  started.defer(() => stack.stop());
  return await installationOn(stack, endpoint, started);
}

/** A running Millrace. */
export type Running = Pick<Stack, 'url' | 'apiKey' | 'databaseUrl' | 'temporal' | 'processes'>;

/** Makes an installation for benches out of a running Millrace. Disposing of it disposes of all that was started. */
export async function installationOn(
  stack: Running,
  endpoint: Endpoint,
  started: AsyncDisposableStack,
): Promise<Installation> {
  const sql = new Client({ connectionString: stack.databaseUrl, application_name: 'bench' });
  await sql.connect();
  started.defer(() => sql.end());
  const connection = await Connection.connect({ address: stack.temporal.address });
  started.defer(() => connection.close());
  const temporal = new Temporal({ connection, namespace: stack.temporal.namespace });

  const api = callerOf(stack);
  const target = await api<Target>('POST', '/v1/targets', {
    name: 'bench',
    base_url: endpoint.url,
    max_in_flight: MAX_IN_FLIGHT,
  });

  async function until(
    what: string,
    done: () => Promise<boolean>,
    timeoutMs = UNTIL_MS,
  ): Promise<void> {
    if (await holdsWithin(timeoutMs, done)) return;
    throw new Error(`it takes more than ${timeoutMs / 1_000} s until ${what}`);
  }

  const describe = (consumerId: string) =>
    temporal.workflow.getHandle(workflowIdOf(consumerId)).describe();
  const pids = () => ({ ...stack.processes(), receiver: endpoint.pid });
  const settings = await readSettings(sql);
  const running = started.move();
  return {
    url: stack.url,
    apiKey: stack.apiKey,
    databaseUrl: stack.databaseUrl,
    endpoint,
    sql,
    settings,
    api,
    consumer: (input) =>
      api('POST', '/v1/consumers', {
        name: 'bench',
        target_id: target.id,
        stream: 'events',
        ...input,
      }),
    historyLength: async (consumerId) => (await describe(consumerId)).historyLength,
    pendingActivities: async (consumerId) =>
      (await describe(consumerId)).raw.pendingActivities?.length ?? 0,
    polls: async (pid) => {
      const { pollers } = await connection.workflowService.describeTaskQueue({
        namespace: stack.temporal.namespace,
        taskQueue: { name: TASK_QUEUE },
      });
      return pollers?.some(({ identity }) => identity?.split('/')[1] === String(pid)) ?? false;
    },
    historyEvents: () => countHistory(temporal),
    usage: async (work) => {
      const before = readCpu(pids());
      const result = await work();
      return { result, cpu: cpuBetween(before, readCpu(pids())) };
    },
    pids,
    until,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Returns a function that makes requests to an API; it throws unless they are answered 2xx. */
export function callerOf({ url, apiKey }: Pick<Running, 'url' | 'apiKey'>): Installation['api'] {
  return async <Answer>(method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return (text === '' ? null : JSON.parse(text)) as Answer;
  };
}

/**
 * An environment with only the variables that are needed to find programs, so that no setting of the user
 * changes the figures.
 */
function environment(folder: string, options: InstallationOptions): NodeJS.ProcessEnv {
  const { PATH, HOME, XDG_CACHE_HOME } = process.env;
  return {
    ...(PATH === undefined ? {} : { PATH }),
    ...(HOME === undefined ? {} : { HOME }),
    ...(XDG_CACHE_HOME === undefined ? {} : { XDG_CACHE_HOME }),
    MILLRACE_PORT: '0',
    MILLRACE_DATA_DIR: join(folder, 'data'),
    MILLRACE_ALERT_EMAIL: 'bench@example.com',
    LOG_LEVEL: 'error',
    ...variablesOf(options),
  };
}

/** The further variables, and those that make Node write profiles. */
export function variablesOf({
  profileDir,
  variables = {},
}: InstallationOptions): NodeJS.ProcessEnv {
  const node = [
    ...(profileDir === null ? [] : [`--cpu-prof --cpu-prof-dir=${JSON.stringify(profileDir)}`]),
    ...(variables['NODE_OPTIONS'] === undefined ? [] : [variables['NODE_OPTIONS']]),
  ];
  return { ...variables, ...(node.length === 0 ? {} : { NODE_OPTIONS: node.join(' ') }) };
}

async function readSettings(sql: Client): Promise<Record<string, string>> {
  const names = ['fsync', 'full_page_writes', 'synchronous_commit', 'server_version'];
  const { rows } = await sql.query<{ name: string; setting: string }>(
    'select name, setting from pg_settings where name = any($1)',
    [names],
  );
  return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
}

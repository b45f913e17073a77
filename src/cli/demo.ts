import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { startStack } from '../embedded/stack.ts';
import type { Stack } from '../embedded/stack.ts';
import type { StreamName } from '../schema.ts';
import { createDemoApi } from './demo-api.ts';
import type { DemoApi } from './demo-api.ts';
import { readDemoData } from './demo-data.ts';
import { Stalled, startEndpoint } from './demo-endpoint.ts';
import type { Endpoint } from './demo-endpoint.ts';
import { AIRPORTS, planDemo, STOCKS } from './demo-plan.ts';
import type { Step } from './demo-plan.ts';
import type { Report } from './demo-receiver.ts';
import { count, createScreen } from './demo-screen.ts';
import type { Screen } from './demo-screen.ts';
import { onInterrupt } from './interrupt.ts';

export interface DemoOptions {
  env: NodeJS.ProcessEnv;
  /** Ends when all was delivered; else it stays up until Ctrl-C. */
  once: boolean;
}

type Consumers = Record<StreamName, string>;

const INTERRUPTED = 130;
const LIVE_EVERY_MS = 100;
const STALL_MS = 45_000;

/**
 * The main job on real data, in a data folder of its own that is removed at the end. People read
 * stderr; the last line on stdout is JSON. Returns the exit code: 0 only when all was delivered,
 * once, in order, and each webhook was signed and said what the data file says.
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { once } = options;
  const screen = createScreen(process.stderr);
  const interrupted = new AbortController();
  let stack: Stack | null = null;
  onInterrupt({
    first: () => {
      screen.say('');
      interrupted.abort();
    },
    again: () => stack?.hurry(),
  });

  screen.say(
    'Millrace demo: real records in, signed webhooks out, each one checked. It takes about half a minute.',
  );
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-demo-'));
  await chmod(dataDir, 0o711); // Postgres runs as another user when we are root
  let ending: Promise<void> | null = null;
  const end = (): Promise<void> => (ending ??= remove(stack, dataDir, screen));
  try {
    const began = performance.now();
    screen.say(`Starting Postgres, Temporal, the API and a worker, with their data in ${dataDir}`);
    stack = await startStack({
      env: demoEnv(options.env, dataDir),
      receiver: false,
      say: screen.say,
      signal: interrupted.signal,
    });
    screen.say(`All of it is up after ${since(began)} s: ${stack.url}`);
    await using endpoint = await startEndpoint(screen);
    const report = await perform({ stack, endpoint, screen, once, signal: interrupted.signal });
    const result = JSON.stringify({ ...report.counts, seconds: Number(since(began)) });
    if (!once) {
      process.stdout.write(`${result}\n`);
      await stayUp(stack, screen, interrupted.signal);
    }
    await end();
    if (once) process.stdout.write(`${result}\n`);
    return isClean(report) ? 0 : 1;
  } catch (error) {
    if (interrupted.signal.aborted) return INTERRUPTED;
    throw error;
  } finally {
    await end();
  }
}

async function remove(stack: Stack | null, dataDir: string, screen: Screen): Promise<void> {
  screen.say(`Stopping everything and removing ${dataDir}`);
  await stack?.stop();
  await rm(dataDir, { recursive: true, force: true });
}

interface Show {
  stack: Stack;
  endpoint: Endpoint;
  screen: Screen;
  once: boolean;
  signal: AbortSignal;
}

async function perform(show: Show): Promise<Report> {
  const { stack, endpoint, screen, signal } = show;
  const api = createDemoApi({ url: stack.url, apiKey: stack.apiKey, signal });
  const data = await readDemoData();
  const steps = planDemo(data);
  screen.say(
    `Data: ${count(data.airports.length)} airports, ${data.months.length} months of stock prices (npm package vega-datasets)`,
  );
  screen.say(
    `Receiver: ${endpoint.url}, a process of its own; it knows from the data file what must come`,
  );
  const connection = await Connection.connect({ address: stack.temporal.address });
  try {
    const temporal = new Client({ connection, namespace: stack.temporal.namespace });
    const consumers = await playSteps({ ...show, api, temporal, steps });
    const report = await endpoint.report();
    summarize(report, screen);
    showAddresses(show, consumers);
    return report;
  } catch (error) {
    if (!(error instanceof Stalled)) throw error;
    screen.say(`\n${error.message}`);
    const report = await endpoint.report();
    summarize(report, screen);
    return report;
  } finally {
    await connection.close();
  }
}

interface Play extends Show {
  api: DemoApi;
  temporal: Client;
  steps: Step[];
}

async function playSteps(play: Play): Promise<Consumers> {
  const { api, endpoint, screen, steps, stack } = play;
  const [backlog, ...rest] = steps as [Step, ...Step[]];
  screen.head(`1. ${backlog.title}`);
  await appendAll(play, backlog);
  const began = performance.now();
  const consumers = await createConsumers(play);
  screen.say('   One target and two consumers are made. In the Temporal UI:');
  for (const [stream, id] of Object.entries(consumers)) {
    screen.say(`   ${stream.padEnd(8)} ${pageOf(stack, id)}`);
  }
  screen.settle(await endpoint.complete(0, STALL_MS), secondsSince(began));

  for (const [index, step] of rest.entries()) {
    const stepBegan = performance.now();
    screen.head(`${index + 2}. ${step.title}`);
    if (step.detail !== undefined) screen.say(`   ${step.detail}`);
    if (step.filter !== undefined) await changeFilter(play, consumers.events, step.filter);
    endpoint.step(index + 1);
    await appendAll(play, step);
    screen.settle(await endpoint.complete(index + 1, STALL_MS), secondsSince(stepBegan));
  }
  // Nothing is on its way any more: a duplicate or a filtered entry would have been seen.
  for (const id of Object.values(consumers)) await api.caughtUp(id);
  endpoint.step(steps.length);
  return consumers;
}

/** A batch at once, or a request every tenth of a second. */
async function appendAll({ api, signal, screen }: Play, step: Step): Promise<void> {
  if (!step.live) {
    const began = performance.now();
    const rows = step.appends.flat();
    await api.appendLines(rows);
    screen.say(`   ${count(rows.length)} records appended in one request, ${since(began)} s`);
    return;
  }
  const began = performance.now();
  for (const [index, changes] of step.appends.entries()) {
    const due = began + index * LIVE_EVERY_MS;
    await wait(Math.max(1, due - performance.now()), undefined, { signal });
    await api.append(changes);
  }
}

async function createConsumers({ api, endpoint }: Play): Promise<Consumers> {
  const target = await api.createTarget({ name: 'Demo receiver', base_url: endpoint.url });
  await endpoint.trust(target.signing_secret);
  const common = {
    target_id: target.id,
    start: 'beginning' as const,
    collections: [AIRPORTS, STOCKS],
  };
  return {
    events: await api.createConsumer({
      ...common,
      name: 'Every change, in order',
      stream: 'events',
      path: '/events',
    }),
    records: await api.createConsumer({
      ...common,
      name: 'The latest version of each record',
      stream: 'records',
      path: '/records',
    }),
  };
}

/** As anyone can do it in the Temporal UI, or with its CLI, while the consumer runs. */
async function changeFilter(
  { api, temporal, screen, stack }: Play,
  id: string,
  filter: NonNullable<Step['filter']>,
): Promise<void> {
  const { signal, collection } = filter;
  const argument = JSON.stringify([collection]);
  screen.say(
    `   temporal workflow signal --address ${stack.temporal.address} --workflow-id consumer/${id} --name ${signal} --input '${argument}'`,
  );
  const began = performance.now();
  await temporal.workflow.getHandle(`consumer/${id}`).signal(signal, [collection]);
  const version = await api.filterHas(id, collection, signal === 'addCollections');
  screen.say(
    `   In force after ${Math.round(performance.now() - began)} ms, without a restart: filter version ${version}`,
  );
}

function summarize({ counts, superseded, problems, latency }: Report, screen: Screen): void {
  const rows: [string, number, string][] = [
    ['delivered', counts.delivered, `of ${count(counts.expected)} expected`],
    ['verified', counts.verified, 'signed, and exactly what the data file says'],
    ['missing', counts.missing, ''],
    ['duplicates', counts.duplicates, ''],
    ['out of order', counts.out_of_order, 'within their record'],
  ];
  screen.head('Summary');
  if (superseded > 0) {
    rows.push([
      'superseded',
      superseded,
      'versions that moved before their turn: never sent, by design',
    ]);
  }
  for (const [what, number, why] of rows) {
    screen.say(`   ${what.padEnd(13)}${count(number).padStart(7)}  ${why}`.trimEnd());
  }
  screen.say(
    `   A live change reached the receiver ${latency.p50} ms after its append (median; 99 % within ${latency.p99} ms)`,
  );
  for (const problem of problems) screen.say(`   ✗ ${problem}`);
}

function showAddresses({ stack, screen, once }: Show, consumers: Consumers): void {
  screen.head(once ? 'It ran at' : 'Addresses');
  const rows = [
    ['API', stack.url],
    ['API document', `${stack.url}/v1/openapi.json`],
    ['Temporal UI', String(stack.uiUrl)],
    ['events', pageOf(stack, consumers.events)],
    ['records', pageOf(stack, consumers.records)],
  ];
  for (const [what = '', where] of rows) screen.say(`   ${what.padEnd(13)}${where}`);
}

async function stayUp(stack: Stack, screen: Screen, signal: AbortSignal): Promise<void> {
  const record = {
    sync_id: 'mine',
    collection_id: AIRPORTS,
    upstream_id: '1',
    data: { name: 'My own airport' },
  };
  screen.head('It stays up. Append something of your own and see it arrive here:');
  screen.say(
    `   curl ${stack.url}/v1/records -H 'authorization: Bearer ${stack.apiKey}' -H 'content-type: application/json' -d '${JSON.stringify({ records: [record] })}'`,
  );
  screen.say(`   Ctrl-C stops everything and removes ${stack.dataDir}`);
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
}

/** The consumer's page in the Temporal UI. */
function pageOf(stack: Stack, id: string): string {
  const workflow = encodeURIComponent(`consumer/${id}`);
  return `${stack.uiUrl}/namespaces/${stack.temporal.namespace}/workflows/${workflow}`;
}

function isClean({ counts }: Report): boolean {
  const { expected, delivered, verified, duplicates, missing, out_of_order } = counts;
  const faults = missing + duplicates + out_of_order;
  return faults === 0 && verified === delivered && delivered === expected;
}

/** Nothing of the user's own servers and settings but a port: the demo must not touch their data. */
function demoEnv(env: NodeJS.ProcessEnv, dataDir: string): NodeJS.ProcessEnv {
  const own = /^(MILLRACE_|TEMPORAL_|SMTP_|DATABASE_URL$|LOG_LEVEL$)/u;
  return {
    ...Object.fromEntries(Object.entries(env).filter(([name]) => !own.test(name))),
    MILLRACE_DATA_DIR: dataDir,
    MILLRACE_PORT: env['MILLRACE_PORT'] || '0',
    MILLRACE_ALERT_EMAIL: 'demo@example.com',
    LOG_LEVEL: env['LOG_LEVEL'] || 'error',
  };
}

function secondsSince(began: number): number {
  return (performance.now() - began) / 1_000;
}

function since(began: number): string {
  return secondsSince(began).toFixed(1);
}

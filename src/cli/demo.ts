import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client, Connection } from '@temporalio/client';

import { startStack, type Stack } from '../embedded/stack.ts';
import { channelArgsFor } from '../process/proxies.ts';
import { createDemoApi } from './demoApi.ts';
import { readDemoData } from './demoData.ts';
import { Stalled, startEndpoint } from './demoEndpoint.ts';
import { AIRPORTS, planDemo } from './demoPlan.ts';
import { pageOf, playSteps, since, type Consumers, type Show } from './demoPlay.ts';
import { performPostgres } from './demoPostgres.ts';
import type { Report } from './demoReceiver.ts';
import { count, createScreen, type Screen, type WhenDone } from './demoScreen.ts';
import { onInterrupt } from './interrupt.ts';

/** How to run the demo. */
export interface DemoOptions {
  env: NodeJS.ProcessEnv;
  /** Whether to end when all is delivered instead of running until Ctrl-C. */
  once: boolean;
  /** Whether to follow the tables of a second Postgres instead of appending. */
  postgres: boolean;
}

const INTERRUPTED = 130;

/**
 * Sends real data through a whole Millrace, in a temporary data folder that is removed at the end.
 * stderr is for people; stdout gets one line of JSON. Returns the exit code: 0 only when everything was
 * delivered once and in order, and each webhook was signed and matched the data file.
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

  const what = options.postgres ? 'the tables of a Postgres in' : 'real records in';
  screen.say(
    `Millrace demo: ${what}, signed webhooks out, each one checked. It takes about half a minute.`,
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
    screen.say(`Everything is up after ${since(began)} s: ${stack.url}`);
    const { signal } = interrupted;
    const running = stack;
    let result = '';
    const whenDone: WhenDone = async (counts, hints) => {
      result = JSON.stringify({ ...counts, seconds: Number(since(began)) });
      if (once) return;
      process.stdout.write(`${result}\n`);
      await stayUp({ stack: running, screen, signal }, hints);
    };
    const show = { stack, screen, once, signal, whenDone };
    const isFine = options.postgres ? await performPostgres(show) : await performRecords(show);
    await end();
    if (once) process.stdout.write(`${result}\n`);
    return isFine ? 0 : 1;
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

/** Appends records by the API, and has a receiver check each webhook; resolves with whether all was well. */
async function performRecords(given: Omit<Show, 'endpoint'>): Promise<boolean> {
  await using endpoint = await startEndpoint(given.screen);
  const report = await perform({ ...given, endpoint });
  await given.whenDone(report.counts, hintsFor(given.stack));
  return isClean(report);
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
    `Receiver: ${endpoint.url}, a process of its own; it knows from the data file what must arrive`,
  );
  const { address } = stack.temporal;
  const connection = await Connection.connect({ address, ...channelArgsFor(address) });
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
      'versions that were replaced before their turn: never sent, by design',
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

function hintsFor(stack: Stack): string[] {
  const record = {
    sync_id: 'mine',
    collection_id: AIRPORTS,
    upstream_id: '1',
    data: { name: 'My own airport' },
  };
  return [
    'It stays up. Append something of your own and see it arrive here:',
    `   curl ${stack.url}/v1/records -H 'authorization: Bearer ${stack.apiKey}' -H 'content-type: application/json' -d '${JSON.stringify({ records: [record] })}'`,
  ];
}

async function stayUp(
  { stack, screen, signal }: Pick<Show, 'stack' | 'screen' | 'signal'>,
  [first = '', ...hints]: readonly string[],
): Promise<void> {
  screen.head(first);
  for (const hint of hints) screen.say(hint);
  screen.say(`   Ctrl-C stops everything and removes ${stack.dataDir}`);
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
}

function isClean({ counts }: Report): boolean {
  const { expected, delivered, verified, duplicates, missing, out_of_order } = counts;
  const faults = missing + duplicates + out_of_order;
  return faults === 0 && verified === delivered && delivered === expected;
}

/** Drops the user's settings except port and log level: the demo must not touch the user's data. */
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

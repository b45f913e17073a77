// `npm run rehearse`: the production set-up of docker-compose.yml, without containers.
import { parseArgs } from 'node:util';

import { onInterrupt } from '../../src/cli/interrupt.ts';
import { commandLine, until } from '../../src/embedded/processes.ts';
import { writeState } from '../../src/embedded/state.ts';
import { check } from './check.ts';
import { CannotBuild } from './programs.ts';
import { startRehearsal, type Rehearsal } from './rehearsal.ts';
import { PartFailed } from './timer.ts';

const USAGE = `usage: npm run rehearse -- [--workers N] [--json FILE] [--check]
  --workers N  how many workers to start (2)
  --json FILE  addresses, the API key, process ids and logs go there as JSON, once all is ready
  --check      takes a consumer through its whole life, then stops everything: 0 if all went well, 1 if not`;

/** The exit code by which shells report an interrupted program. */
const INTERRUPTED = 130;
const GONE_MS = 5_000;

interface Asked {
  workers: number;
  json: string | null;
  check: boolean;
}

process.exitCode = await main();

async function main(): Promise<number> {
  const asked = readArguments();
  if (asked === null) {
    say(USAGE);
    return 2;
  }
  const interrupt = new AbortController();
  onInterrupt({
    first: () => {
      say('Stopping everything');
      interrupt.abort();
    },
    again: () => undefined, // it is stopping already
  });
  const { signal } = interrupt;
  try {
    return await rehearse(asked, signal);
  } catch (error) {
    if (signal.aborted) return INTERRUPTED;
    if (!(error instanceof CannotBuild || error instanceof PartFailed)) throw error;
    say(error.message);
    return 1;
  }
}

async function rehearse(asked: Asked, signal: AbortSignal): Promise<number> {
  const begun = performance.now();
  const { workers } = asked;
  const rehearsal = await startRehearsal({ env: process.env, workers, say, signal });
  try {
    say(`${((performance.now() - begun) / 1_000).toFixed(1).padStart(6)} s  in all`);
    if (asked.json !== null) await writeState(asked.json, describe(rehearsal));
    process.stdout.write(summaryOf(rehearsal));
    if (!asked.check) {
      await aborted(signal);
      return 0;
    }
    const good = await check(rehearsal, {
      say: (line) => process.stdout.write(`${line}\n`),
      signal,
    });
    if (!good) {
      rehearsal.keepFolder();
      say(`The logs are kept in ${rehearsal.folder}`);
    }
    return good && (await stopped(rehearsal)) ? 0 : 1;
  } finally {
    await rehearsal.stop();
  }
}

/** Stops everything; returns false, and prints a line, if a process is left. */
async function stopped(rehearsal: Rehearsal): Promise<boolean> {
  const processes = Object.entries(rehearsal.processes());
  const begun = performance.now();
  await rehearsal.stop();
  const left = (): string[] =>
    processes.flatMap(([name, pid]) => (pid !== null && commandLine(pid) !== null ? [name] : []));
  const gone = await until(() => left().length === 0, GONE_MS);
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
  const verdict = gone
    ? `ok     ${`${seconds} s`.padStart(7)}  stop: none of ${processes.length} processes is left`
    : `FAILED ${`${seconds} s`.padStart(7)}  stop: ${left().join(', ')} still run`;
  process.stdout.write(`${verdict}\n`);
  return gone;
}

async function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  if (!signal.aborted) await promise;
}

/** The facts that another program needs to use the rehearsal. */
function describe(rehearsal: Rehearsal): object {
  return {
    url: rehearsal.url,
    urls: rehearsal.urls,
    apiKey: rehearsal.apiKey,
    databaseUrl: rehearsal.databaseUrl,
    temporal: rehearsal.temporal,
    pids: rehearsal.processes(),
    logs: rehearsal.logs,
    folder: rehearsal.folder,
    seconds: rehearsal.seconds,
  };
}

function summaryOf(rehearsal: Rehearsal): string {
  const { temporal } = rehearsal;
  const processes = Object.entries(rehearsal.processes()).map(([name, pid]) => `${name} ${pid}`);
  const lines = [
    ['APIs', rehearsal.urls.join(' ')],
    ['API key', rehearsal.apiKey],
    ['Postgres', rehearsal.databaseUrl],
    ['Temporal', `${temporal.address}, namespace ${temporal.namespace}`],
    ['Processes', processes.join(', ')],
    ...Object.entries(rehearsal.logs).map(([name, path], index) => [
      index === 0 ? 'Logs' : '',
      `${name}: ${path}`,
    ]),
    ['Stop', 'Ctrl-C; nothing stays'],
  ];
  return `\n${lines.map(([what = '', value = '']) => `  ${what.padEnd(11)}${value}\n`).join('')}\n`;
}

function readArguments(): Asked | null {
  try {
    const { values } = parseArgs({
      options: {
        workers: { type: 'string', default: '2' },
        json: { type: 'string' },
        check: { type: 'boolean', default: false },
      },
    });
    const workers = Number(values.workers);
    // A check kills a worker, and another one has to take over.
    const least = values.check ? 2 : 1;
    if (!Number.isSafeInteger(workers) || workers < least || workers > 50) return null;
    return { workers, json: values.json ?? null, check: values.check };
  } catch {
    return null; // an option that does not exist
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

// `npm run bench`: measures what Millrace achieves on this machine, and what a bare loop achieves.
import { cpus, loadavg } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { onInterrupt } from '../src/cli/interrupt.ts';
import { batches } from './batch.ts';
import { connector } from './connector.ts';
import { consolePages } from './consolePages.ts';
import { consumersList } from './consumersList.ts';
import { create } from './create.ts';
import { drain } from './drain.ts';
import { filters, sparse } from './filters.ts';
import { ingest } from './ingest.ts';
import { readOthers } from './instruments/cpu.ts';
import { probeDisk } from './instruments/disk.ts';
import { reaches, tableOf, type Figure } from './instruments/figures.ts';
import { openInstallation, type Installation } from './instruments/installation.ts';
import { latency } from './latency.ts';
import { map } from './map.ts';
import { MEMORY_VARIABLES, memory } from './memory.ts';
import { mixed } from './mixed.ts';
import { neighbour } from './neighbour.ts';
import { overview } from './overview.ts';
import { poison } from './poison.ts';
import { push } from './push.ts';
import { quiet } from './quiet.ts';
import { openRehearsal } from './rehearsal/openRehearsal.ts';
import { source } from './source.ts';
import { wakes } from './wake.ts';
import { where } from './where.ts';

const USAGE = `usage: npm run bench -- [drain|batch|push|latency|ingest|connector|source|filters|map|sparse|where|wake|quiet|create|mixed|poison|neighbour|memory|consumers|console|overview|all]…
  without a name: drain, push, latency and ingest; all: everything (some minutes more)
  --entries N    that a drain, an import or a filter gets (100000)
  --runs N       of each side of a ratio (2)
  --consumers N  that \`quiet\` and \`create\` create (2000)
  --rates N,N    entries a second that \`quiet\` spreads over them, one rate after another (200,500)
  --minutes N    that \`mixed\` takes, with --consumers N quiet ones (5)
  --trials       has \`quiet\` go on with a busy neighbour, outages and a killed worker (20 minutes more)
  --lanes N      of visits (1)
  --profile DIR  CPU profiles of the API and the worker go there
  --logs DIR     with --rehearsal: the logs of its processes go there at the end
  --rehearsal    on the production set-up that npm run rehearse starts`;

interface Size {
  entries: number;
  runs: number;
  consumers: number;
  rates: number[];
  trials: boolean;
  minutes: number;
}

const PARTS: Record<string, (installation: Installation, size: Size) => Promise<Figure[]>> = {
  drain,
  batch: batches,
  push: (installation) => push(installation, 10),
  latency: (installation) => latency(installation, 20),
  ingest: (installation, { entries }) => ingest(installation, entries),
  connector: (installation, { entries }) => connector(installation, entries),
  source: (installation, { entries }) => source(installation, entries),
  filters,
  map,
  sparse: (installation) => sparse(installation, 1_000_000),
  where,
  wake: (installation) => wakes(installation),
  quiet,
  create,
  mixed,
  poison,
  neighbour: (installation) => neighbour(installation),
  memory: (installation) => memory(installation),
  consumers: (installation) => consumersList(installation),
  console: (installation) => consolePages(installation),
  overview: (installation) => overview(installation),
};
const USUAL = ['drain', 'push', 'latency', 'ingest'];

/** The exit code by which shells report an interrupted program. */
const INTERRUPTED = 130;
const stop = new AbortController();

process.exitCode = await main().catch((error: unknown) => {
  if (!stop.signal.aborted) throw error;
  process.stderr.write('interrupted; what was started is stopped again\n');
  return INTERRUPTED;
});

async function main(): Promise<number> {
  const asked = readArguments();
  if (asked === null) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const { names, size, lanes, profileDir, logsDir, open } = asked;
  const interrupted = Promise.withResolvers<never>();
  interrupted.promise.catch(() => undefined); // raced below
  stop.signal.addEventListener('abort', () => interrupted.reject(stop.signal.reason as Error));
  onInterrupt({
    first: () => stop.abort(),
    again: () => undefined, // it is stopping the parts that have started already
  });
  const machine = { cpus: cpus().length, model: cpus()[0]?.model, node: process.version };
  process.stderr.write(
    `${machine.cpus} × ${machine.model}, Node ${machine.node}, load ${loadavg()[0]?.toFixed(2)}; goals are for a machine that does nothing else\n`,
  );
  const figures: Record<string, Figure[]> = {};
  let settings: Record<string, string> = {};
  for (const name of names) {
    // Each measurement gets an installation of its own, so that it does not measure remains of another one.
    const variables = {
      MILLRACE_VISIT_LANES: lanes,
      ...(name === 'memory' ? MEMORY_VARIABLES : {}),
    };
    const { signal } = stop;
    await using installation = await open({ profileDir, logsDir, variables, signal });
    ({ settings } = installation);
    const part = PARTS[name] as (typeof PARTS)[string];
    const disk = await probeDisk();
    const others = startOthers();
    const measured = await Promise.race([part(installation, size), interrupted.promise]);
    measured.push(...others(), {
      name: 'write and fdatasync just before, p50',
      value: disk.p50,
      unit: 'ms',
      note: `p99 ${disk.p99.toFixed(2)}, worst ${disk.max.toFixed(1)}`,
    });
    figures[name] = measured;
    process.stderr.write(tableOf(name, measured));
  }
  process.stderr.write(`\nPostgres: ${JSON.stringify(settings)}\n`);
  const missed = Object.values(figures)
    .flat()
    .filter((figure) => reaches(figure) === false);
  process.stderr.write(`${missed.length} goals missed\n`);
  process.stdout.write(`${JSON.stringify({ machine, postgres: settings, figures })}\n`);
  return 0;
}

/**
 * Measures how much of the machine other programs use during a measurement; if it is much, the figures mean
 * little.
 */
function startOthers(): () => Figure[] {
  const from = performance.now();
  const before = readOthers();
  return () => {
    const after = readOthers();
    if (before === null || after === null) return []; // no /proc here
    const cores = (after - before) / ((performance.now() - from) / 1_000);
    return [{ name: 'taken by other programs', value: Math.max(0, cores), unit: 'cores' }];
  };
}

interface Asked {
  names: string[];
  size: Size;
  lanes: string;
  profileDir: string | null;
  logsDir: string | null;
  open: typeof openInstallation;
}

function readArguments(): Asked | null {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        entries: { type: 'string', default: '100000' },
        runs: { type: 'string', default: '2' },
        consumers: { type: 'string', default: '2000' },
        rates: { type: 'string', default: '200,500' },
        lanes: { type: 'string', default: '1' },
        trials: { type: 'boolean', default: false },
        minutes: { type: 'string', default: '5' },
        profile: { type: 'string' },
        logs: { type: 'string' },
        rehearsal: { type: 'boolean', default: false },
      },
    });
    const all = Object.keys(PARTS);
    const names = positionals.includes('all') ? all : positionals;
    const size = {
      entries: Number(values.entries),
      runs: Number(values.runs),
      consumers: Number(values.consumers),
      rates: values.rates.split(',').map(Number),
      minutes: Number(values.minutes),
    };
    const { trials } = values;
    const good =
      names.every((name) => all.includes(name)) && Object.values(size).flat().every(isCount);
    if (!good || !/^\d{1,2}$/u.test(values.lanes)) return null;
    const profileDir = values.profile === undefined ? null : resolve(values.profile);
    const open = values.rehearsal ? openRehearsal : openInstallation;
    const chosen = names.length === 0 ? USUAL : names;
    const logsDir = values.logs === undefined ? null : resolve(values.logs);
    const more = { lanes: values.lanes, profileDir, logsDir, open };
    return { names: chosen, size: { ...size, trials }, ...more };
  } catch {
    return null; // an option that does not exist
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

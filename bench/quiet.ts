import { setTimeout as wait } from 'node:timers/promises';

import { concurrently } from '../src/process/concurrently.ts';
import type { Target } from '../src/schema/target.ts';
import { appendEach } from './instruments/appendEach.ts';
import { runBare } from './instruments/bareLoop.ts';
import { isCalm } from './instruments/calm.ts';
import { allStarted, countRows } from './instruments/count.ts';
import { cpuFigures, type Cpu } from './instruments/cpu.ts';
import { named, type Figure } from './instruments/figures.ts';
import type { Installation } from './instruments/installation.ts';
import { holdsWithin } from './instruments/poll.ts';
import type { Received } from './instruments/receiver.ts';
import { workerMemory } from './instruments/rss.ts';
import { least } from './least.ts';
import { produce } from './push.ts';
import { quietTrials } from './quietTrials.ts';

/** How much is measured. */
export interface QuietOptions {
  /** How many consumers there are, each of one sync and with a target of its own. */
  consumers: number;
  /** Entries a second that are spread over all of them, one after another. */
  rates: number[];
  /** Whether to measure outages, a busy neighbour and a killed worker as well. */
  trials: boolean;
}

const PREFIX = 'quiet';
const CREATE_AT_ONCE = 32;
const WATCHED_MS = 600_000;
/** Within this time the workflows of all consumers have to be started. */
const STARTED_MS = 180_000;
/** After this time waiting for the entries, or for all consumers to be quiet, is given up. */
const GIVE_UP_MS = 180_000;
const LOOK_MS = 250;
/** The work that creating leaves behind (checkpoints, vacuum) is done after this time. */
const SETTLED_MS = 30_000;
const IDLE_MS = 30_000;
const SPREAD_SECONDS = 20;
/** An entry that was sent twice would arrive again within this time. */
const EXTRA_MS = 2_000;

/** A consumer that wants no entry: the leader watches it, or a lane visits it. */
const QUIET =
  '(idle and indexed_epoch is not null and wanted is null and holder is null) or (visited and head is null)';

/** The goals for entries at a steady rate depend on the rate and on the number of consumers. */
const SPREAD_GOALS = [
  { rate: 200, consumers: 2_000, p50: 8, p99: 40 },
  { rate: 500, consumers: 10_000, p50: 10, p99: 60 },
];
/** A bare loop of signed requests, by which the speed of this machine is known: it made 33,000 where the goals were set. */
const BARE = { requests: 50_000, inFlight: 64, bodyBytes: 600 };
const STORM_GOALS = { perSecond: 5_000, cpu: 0.3, history: 1 };
const SPREAD_CPU = 0.8;
const CREATED_PER_SECOND = 10_000 / 30;
const IDLE_CORES = 0.05;
const WORKER_MB = 700;

/**
 * Measures many consumers of which each gets few entries: creating them, doing nothing, an entry for each of
 * them at the same time (a storm), and a steady rate over all of them. If consumers do not become quiet again
 * after a storm, the bench ends early, because the rest would measure the remains of that storm.
 */
export async function quiet(installation: Installation, options: QuietOptions): Promise<Figure[]> {
  const figures = [await bareLoop(installation)];
  figures.push(...(await create(installation, options)), ...(await idle(installation, options)));
  for (const name of ['storm', 'second storm']) {
    const measured = await storm(installation, options, name);
    figures.push(...measured.figures);
    if (!measured.quiet) return figures;
  }
  for (const rate of options.rates) {
    figures.push(...(await spread(installation, { ...options, rate })));
  }
  figures.push(...(await least(installation, options.rates)));
  if (options.trials) {
    const syncs = Array.from({ length: options.consumers }, (_, number) => syncOf(number));
    figures.push(...(await quietTrials(installation, { syncs, prefix: PREFIX })));
  }
  return figures;
}

async function bareLoop(installation: Installation): Promise<Figure> {
  const { perSecond } = await runBare(installation, BARE);
  const note = 'about 33,000 on the machine for which the goals were set';
  return { name: 'bare loop', value: perSecond, unit: 'requests/s', note };
}

async function create(installation: Installation, options: QuietOptions): Promise<Figure[]> {
  const numbers = [...Array(options.consumers).keys()];
  const targets: string[] = [];
  const targetsFrom = performance.now();
  await concurrently(numbers, CREATE_AT_ONCE, async (number) => {
    const { id } = await installation.api<Target>('POST', '/v1/targets', {
      name: `quiet ${number}`,
      base_url: installation.endpoint.url,
    });
    targets[number] = id;
  });
  const from = performance.now();
  const seconds = (): number => (performance.now() - from) / 1_000;
  const { result, cpu } = await installation.usage(async () => {
    await concurrently(numbers, CREATE_AT_ONCE, async (number) => {
      await installation.consumer({
        name: `quiet ${number}`,
        target_id: targets[number] as string,
        syncs: [syncOf(number)],
        path: `/${number}`,
        start: 'end',
      });
    });
    const created = seconds();
    const watched = () => areQuiet(installation, options);
    await installation.until('all consumers are watched by the leader', watched, WATCHED_MS);
    return { created, watched: seconds() };
  });
  await installation.until('all workflows are started', () => allStarted(installation), WATCHED_MS);
  const started = seconds();
  await installation.until('Temporal is calm', () => isCalm(installation), WATCHED_MS);
  const targetsPerSecond = options.consumers / ((from - targetsFrom) / 1_000);
  return [
    {
      name: 'consumers created',
      value: options.consumers / result.created,
      unit: '/s',
      goal: { least: CREATED_PER_SECOND },
      note: `${options.consumers}, ${CREATE_AT_ONCE} requests at a time; their targets before: ${targetsPerSecond.toFixed(0)}/s`,
    },
    {
      name: 'from the first request until all are watched by the leader',
      value: result.watched,
      unit: 's',
    },
    {
      name: 'from the first request until all workflows are started',
      value: started,
      unit: 's',
      goal: { most: STARTED_MS / 1_000 },
      note: `Temporal and the worker calm after ${seconds().toFixed(0)} s`,
    },
    ...named('creating', cpuFigures(cpu, options.consumers / 1_000)),
  ];
}

async function idle(installation: Installation, { consumers }: QuietOptions): Promise<Figure[]> {
  const historyBefore = await installation.historyEvents();
  await wait(SETTLED_MS);
  const { cpu } = await installation.usage(() => wait(IDLE_MS));
  const history = (await installation.historyEvents()) - historyBefore;
  const cores = cpuFigures(cpu, IDLE_MS / 1_000, { most: IDLE_CORES });
  return named(`idle for ${IDLE_MS / 1_000} s`, [
    ...cores.map((figure) => ({ ...figure, unit: 'cores' })),
    {
      name: 'Temporal history',
      value: history / (consumers / 1_000),
      unit: 'events per 1,000',
      note: `in the ${SETTLED_MS / 1_000} s before as well; per 1,000 consumers`,
    },
  ]);
}

/**
 * Appends one entry for each consumer at once, and waits until all have arrived and all consumers are quiet
 * again.
 */
async function storm(
  installation: Installation,
  options: QuietOptions,
  name: string,
): Promise<{ figures: Figure[]; quiet: boolean }> {
  const { consumers } = options;
  const syncs = Array.from({ length: consumers }, (_, number) => syncOf(number));
  const historyBefore = await installation.historyEvents();
  await installation.endpoint.reset({ latency: true, ids: true });
  const { result, cpu } = await installation.usage(async () => {
    const sentAt = await appendEach(installation, syncs);
    const received = await installation.endpoint.arrived(consumers, GIVE_UP_MS);
    return { sentAt, received };
  });
  const { sentAt, received } = result;
  const seconds =
    received.total < consumers ? GIVE_UP_MS / 1_000 : (received.lastAt - sentAt) / 1_000;
  const latency = await installation.endpoint.latency();
  const share = received.total < consumers ? `of the ${latency.count} received by then` : '';

  const after = await installation.usage(() => becomeQuiet(installation, options));
  const history = (await installation.historyEvents()) - historyBefore;
  const inTheEnd = await installation.endpoint.received();
  const thousands = consumers / 1_000;
  return {
    quiet: after.result.quiet,
    figures: named(name, [
      {
        name: 'delivered',
        value: received.total / seconds,
        unit: 'entries/s',
        goal: { least: STORM_GOALS.perSecond },
        note: 'from the request that appends them to the last receipt',
      },
      ...arrival(received, consumers),
      { name: 'append → received p50', value: latency.p50, unit: 'ms', note: share },
      { name: 'append → received p95', value: latency.p95, unit: 'ms' },
      { name: 'append → received p99', value: latency.p99, unit: 'ms' },
      { name: 'append → received, last', value: latency.max, unit: 'ms' },
      ...cpuFigures(cpu, Math.max(received.total, 1) / 1_000, { most: STORM_GOALS.cpu }),
      {
        name: 'CPU in all afterwards, until they are quiet again',
        value: sumOfAll(after.cpu) / thousands,
        unit: 's per 1,000',
        note: `${after.result.quiet ? 'quiet' : 'given up'} after ${after.result.seconds.toFixed(0)} s`,
      },
      {
        name: 'Temporal history, until they are quiet again',
        value: history / thousands,
        unit: 'events per 1,000',
        goal: { most: STORM_GOALS.history },
      },
      ...faults(inTheEnd, consumers),
      ...workerMemory(installation, { most: WORKER_MB }),
    ]),
  };
}

/** Appends for one consumer after another, on a schedule that does not wait for answers. */
async function spread(
  installation: Installation,
  { consumers, rate }: { consumers: number; rate: number },
): Promise<Figure[]> {
  const historyBefore = await installation.historyEvents();
  await becomeQuiet(installation, { consumers }); // counting history keeps Temporal busy as well
  await installation.endpoint.reset({ latency: true, ids: true });
  const { result, cpu } = await installation.usage(async () => {
    const produced = await produce(installation, {
      rate,
      seconds: SPREAD_SECONDS,
      connections: 64,
      prefix: PREFIX,
      syncs: consumers,
      records: 1,
      dataBytes: 200,
    });
    const received = await installation.endpoint.arrived(produced.appended, GIVE_UP_MS);
    return { produced, received };
  });
  const { appended, answer, late } = result.produced;
  await wait(EXTRA_MS);
  const latency = await installation.endpoint.latency();
  const inTheEnd = await installation.endpoint.received();
  const history = (await installation.historyEvents()) - historyBefore;
  const goals = SPREAD_GOALS.find((one) => rate <= one.rate && consumers <= one.consumers);
  return named(`${rate}/s over ${consumers}`, [
    ...arrival(result.received, appended),
    { name: 'append → received p50', value: latency.p50, unit: 'ms', ...atMost(goals?.p50) },
    { name: 'append → received p95', value: latency.p95, unit: 'ms' },
    {
      name: 'append → received p99',
      value: latency.p99,
      unit: 'ms',
      ...atMost(goals?.p99),
      note: `worst ${latency.max.toFixed(0)}; append → answer p99 ${answer.p99.toFixed(1)}; generator late p99 ${late.p99.toFixed(1)}`,
    },
    ...cpuFigures(cpu, appended / 1_000, { most: SPREAD_CPU }),
    {
      name: 'Temporal history',
      value: history / (appended / 1_000),
      unit: 'events per 1,000',
      goal: { most: STORM_GOALS.history },
    },
    ...faults(inTheEnd, appended),
  ]);
}

/** The figure that says so if not everything arrived in time. */
function arrival({ total }: Received, appended: number): Figure[] {
  if (total >= appended) return [];
  return [
    {
      name: `received when given up after ${GIVE_UP_MS / 1_000} s`,
      value: total,
      unit: 'entries',
      goal: { least: appended },
    },
  ];
}

function faults({ total, distinct }: Received, appended: number): Figure[] {
  return [
    { name: 'missing', value: appended - distinct, unit: 'entries', goal: { most: 0 } },
    { name: 'received twice', value: total - distinct, unit: 'entries', goal: { most: 0 } },
  ];
}

/**
 * Waits until no consumer wants an entry and the worker and Temporal have nothing left to do, however long that
 * takes within the limit.
 */
async function becomeQuiet(
  installation: Installation,
  options: Pick<QuietOptions, 'consumers'>,
): Promise<{ quiet: boolean; seconds: number }> {
  const from = performance.now();
  const quiet = await holdsWithin(
    GIVE_UP_MS,
    async () => (await areQuiet(installation, options)) && (await isCalm(installation)),
    LOOK_MS,
  );
  return { quiet, seconds: (performance.now() - from) / 1_000 };
}

async function areQuiet(
  installation: Installation,
  { consumers }: Pick<QuietOptions, 'consumers'>,
): Promise<boolean> {
  return (await countRows(installation, 'cursors', QUIET)) === consumers;
}

function syncOf(number: number): string {
  return `${PREFIX}-${number}`;
}

function atMost(most: number | undefined): Pick<Figure, 'goal'> {
  return most === undefined ? {} : { goal: { most } };
}

function sumOfAll(cpu: Cpu): number {
  return Object.values(cpu).reduce((sum, seconds) => sum + seconds, 0);
}

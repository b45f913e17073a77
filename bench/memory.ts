import type { Percentiles } from '../test/support/percentiles.ts';
import { createHanging, toAlone } from './besideHanging.ts';
import type { Hanging } from './hanging.ts';
import { countRows } from './instruments/count.ts';
import type { Figure } from './instruments/figures.ts';
import { fill } from './instruments/fill.ts';
import type { Installation } from './instruments/installation.ts';
import { peakRss } from './instruments/rss.ts';
import { produce } from './push.ts';

const HEAP_MB = 512;
/** A small heap, and a long time until consumers become idle, so that they stay active between two entries. */
export const MEMORY_VARIABLES = {
  NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}`,
  MILLRACE_IDLE_AFTER: '1h',
};
/** How many consumers there are of each kind. */
const HEALTHY = 250;
const HANGING = 250;
/** How many entries wait for each consumer whose endpoint hangs. */
const WAITING = 400;
const ENTRY_BYTES = 100_000;
/** Every other endpoint answers so many requests before it hangs; the rest answer none at all. */
const ANSWERED = 10;
/** The endpoints hang for the first time for 15 s, the default timeout; starting all drains takes some of it. */
const FIRST_SECONDS = 12;
const SECONDS = 20;
const SETTLE_MS = 300_000;
const TOGETHER = 25;
const LOAD = {
  rate: 40,
  connections: 16,
  prefix: 'healthy',
  syncs: HEALTHY,
  records: 10_000,
  dataBytes: ENTRY_BYTES,
};

/**
 * Measures 250 healthy consumers of large entries beside 250 idle ones, then while the endpoints of those 250
 * accept requests and never answer, with a small heap of the worker.
 */
export async function memory(installation: Installation): Promise<Figure[]> {
  const worker = installation.pids()['worker'];
  await create(installation);
  await warm(installation);
  const alone = await measure(installation, SECONDS);
  const rssAlone = peakRss(installation.pids()['worker'] ?? null);

  await fill(installation.sql, {
    count: WAITING,
    dataBytes: ENTRY_BYTES,
    sync: `'hanging'`,
    upstream: `'r-' || n`,
  });
  await installation.until('all of them hang', async () => {
    return (await installation.endpoint.received()).hanging.open >= HANGING;
  });
  const beside = await measure(installation, FIRST_SECONDS);
  await installation.until('all of them are blocked', async () => {
    return (await countRows(installation, 'consumers', `status = 'blocked'`)) === HANGING;
  });
  const blocked = await measure(installation, SECONDS);
  const after = installation.pids()['worker'];
  const rss = peakRss(after ?? null);
  return [
    ...figuresOf('beside idle ones', alone),
    ...figuresOf(`beside ${HANGING} that hang`, beside),
    toAlone(`beside ${HANGING} that hang`, beside, alone),
    ...figuresOf(`beside ${HANGING} blocked`, blocked),
    toAlone(`beside ${HANGING} blocked`, blocked, alone),
    ...(rss === null ? [] : [rssFigure(rss, rssAlone)]),
    {
      name: 'the worker was started anew',
      value: after === worker ? 0 : 1,
      unit: 'times',
      goal: { most: 0 },
    },
  ];
}

function rssFigure(value: number, alone: number | null): Figure {
  const note = `heap of ${HEAP_MB} MB; ${alone?.toFixed(0)} before any of them hung`;
  return { name: 'memory of the worker at its peak', value, unit: 'MB', goal: { most: 900 }, note };
}

/** Creates all consumers, a few at a time, and waits until each is sending or, if it is idle, watched. */
async function create(installation: Installation): Promise<void> {
  const all = HEALTHY + HANGING;
  for (let from = 0; from < all; from += TOGETHER) {
    const some = Array.from({ length: TOGETHER }, (_, index) => from + index);
    await Promise.all(
      some.map((number) => (number < HEALTHY ? healthy : hanging)(installation, number)),
    );
    await installation.until(
      `consumer ${from + TOGETHER} of ${all} is sent or watched`,
      async () => {
        return (
          (await countRows(installation, 'cursors', 'epoch > 0 or indexed_epoch is not null')) ===
          from + TOGETHER
        );
      },
    );
  }
}

async function healthy(installation: Installation, number: number): Promise<void> {
  const name = `healthy ${number}`;
  await installation.consumer({ name, syncs: [`${LOAD.prefix}-${number}`], start: 'end' });
}

function hanging(installation: Installation, number: number): Promise<void> {
  const answered = number % 2 === 0 ? 0 : ANSWERED;
  return createHanging(installation, { number, answered, sync: 'hanging', start: 'end' });
}

/** Sends an entry to every healthy consumer, so that it is active and its connection is open. */
async function warm(installation: Installation): Promise<void> {
  await installation.endpoint.reset();
  const seconds = Math.ceil((2 * HEALTHY) / LOAD.rate);
  const { appended } = await produce(installation, { ...LOAD, seconds });
  await installation.endpoint.gets(appended, SETTLE_MS);
}

interface Measured {
  latency: Percentiles;
  /** The time from append to answer, ms, which shows a stall of Postgres or of the machine as well. */
  answer: Percentiles;
  perSecond: number;
  hanging: Hanging;
}

async function measure(installation: Installation, seconds: number): Promise<Measured> {
  await installation.endpoint.reset({ latency: true });
  const { appended, answer } = await produce(installation, { ...LOAD, seconds });
  const { hanging: hung } = await installation.endpoint.received();
  const { total, firstAt, lastAt } = await installation.endpoint.gets(appended, SETTLE_MS);
  const perSecond = ((total - 1) / (lastAt - firstAt)) * 1_000;
  return { latency: await installation.endpoint.latency(), answer, perSecond, hanging: hung };
}

function figuresOf(name: string, measured: Measured): Figure[] {
  const { latency, answer, perSecond, hanging: hung } = measured;
  const open = `${hung.average.toFixed(0)} requests hang on average, ${hung.least} at least`;
  const worst = `worst ${latency.max.toFixed(0)}; append → answer p99 ${answer.p99.toFixed(1)}`;
  return [
    { name: `${name}: received`, value: perSecond, unit: 'entries/s', note: open },
    { name: `${name}: append → received p50`, value: latency.p50, unit: 'ms' },
    { name: `${name}: append → received p95`, value: latency.p95, unit: 'ms' },
    { name: `${name}: append → received p99`, value: latency.p99, unit: 'ms', note: worst },
  ];
}

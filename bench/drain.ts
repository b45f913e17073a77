import type { ConsumerInput } from '../src/schema/consumer.ts';
import { medianOf } from '../test/support/percentiles.ts';
import { runBare } from './instruments/bareLoop.ts';
import { cpuFigures, sumOf, type Cpu } from './instruments/cpu.ts';
import type { Figure } from './instruments/figures.ts';
import { fill } from './instruments/fill.ts';
import type { Installation } from './instruments/installation.ts';

/** How much is measured. */
export interface DrainOptions {
  /** How many entries wait, and how many requests the bare loop makes. */
  entries: number;
  /** How many runs of each are made, alternating. */
  runs: number;
}

const SYNCS = 1_000;
const RECORDS = 10_000;
const IN_FLIGHT = 64;
/** With this much data and the fields around it, an entry's body has about 0.8 KB. */
const DATA_BYTES = 500;
const TIMEOUT_MS = 300_000;

/** The entries of a drain: many syncs and records. */
export const DRAINED = {
  dataBytes: DATA_BYTES,
  sync: `'sync-' || n % ${SYNCS}`,
  upstream: `'r-' || n % ${RECORDS}`,
};

/** Measures a consumer that catches up with a backlog, alternating with a bare loop of signed requests. */
export async function drain(installation: Installation, options: DrainOptions): Promise<Figure[]> {
  const { entries, runs } = options;
  await fill(installation.sql, { ...DRAINED, count: entries });
  const bare: number[] = [];
  const drained: Drained[] = [];
  let bodyBytes = 800;
  for (let run = 0; run < runs; run += 1) {
    const settings = { requests: entries, inFlight: IN_FLIGHT, bodyBytes };
    bare.push((await runBare(installation, settings)).perSecond);
    const one = await drainOnce(installation, entries);
    bodyBytes = one.bodyBytes;
    drained.push(one);
  }
  const perSecond = medianOf(drained.map((one) => one.perSecond));
  const thousands = (entries * runs) / 1_000;
  const history = drained.reduce((sum, one) => sum + one.history, 0);
  return [
    { name: 'bare loop', value: medianOf(bare), unit: 'requests/s', note: eachRun(bare) },
    {
      name: 'drain',
      value: perSecond,
      unit: 'entries/s',
      note: `${eachRun(drained.map((one) => one.perSecond))}; ${SYNCS} syncs, ${bodyBytes} bytes`,
    },
    { name: 'drain to bare', value: perSecond / medianOf(bare), unit: '', goal: { least: 0.5 } },
    ...cpuFigures(sumOf(drained.map((one) => one.cpu)), thousands, { most: 0.2 }),
    {
      name: 'Temporal history, with its start',
      value: history / thousands,
      unit: 'events per 1,000',
      goal: { most: 1 },
    },
  ];
}

interface Drained {
  perSecond: number;
  bodyBytes: number;
  cpu: Cpu;
  history: number;
}

async function drainOnce(installation: Installation, entries: number): Promise<Drained> {
  const syncs = Array.from({ length: SYNCS }, (_, index) => `sync-${index}`);
  const { result, cpu } = await installation.usage(async () => {
    const { perSecond, bodyBytes, consumerId } = await catchUp(installation, { syncs }, entries);
    const history = await installation.historyLength(consumerId);
    await installation.api('DELETE', `/v1/consumers/${consumerId}`);
    return { perSecond, bodyBytes, history };
  });
  return { ...result, cpu };
}

/** How a consumer caught up. */
export interface CaughtUp {
  consumerId: string;
  /** Entries a second, between the first and the last arrival. */
  perSecond: number;
  bodyBytes: number;
}

/** Creates a consumer that starts at the beginning, and waits until it has sent `entries` entries, each once. */
export async function catchUp(
  installation: Installation,
  more: Partial<ConsumerInput>,
  entries: number,
): Promise<CaughtUp> {
  await installation.endpoint.reset();
  const consumer = await installation.consumer({
    ...more,
    ordering: 'record',
    start: 'beginning',
  });
  const received = await installation.endpoint.gets(entries, TIMEOUT_MS);
  return {
    consumerId: consumer.id,
    perSecond: ((entries - 1) / (received.lastAt - received.firstAt)) * 1_000,
    bodyBytes: Math.round(received.bytes / received.total),
  };
}

/** A note with the single runs of which a figure is the median. */
export function eachRun(values: readonly number[]): string {
  return `runs ${values.map((value) => Math.round(value).toLocaleString('en-US')).join(', ')}`;
}

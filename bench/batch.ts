import { medianOf } from '../test/support/percentiles.ts';
import { eachRun } from './drain.ts';
import { cpuFigures, sumOf, type Cpu } from './instruments/cpu.ts';
import type { Figure } from './instruments/figures.ts';
import { fill } from './instruments/fill.ts';
import type { Installation } from './instruments/installation.ts';

const RECORDS = 10_000;
/** As in `drain`. */
const DATA_BYTES = 500;
const MOST = 100;
const TIMEOUT_MS = 300_000;

/** Measures a consumer with batches that catches up with a backlog, alternating with one that sends single entries. */
export async function batches(
  installation: Installation,
  { entries, runs }: { entries: number; runs: number },
): Promise<Figure[]> {
  await fill(installation.sql, {
    count: entries,
    dataBytes: DATA_BYTES,
    sync: `'sync-1'`,
    upstream: `'r-' || n % ${RECORDS}`,
  });
  await catchUp(installation, entries, null); // warms up
  const singles: CaughtUp[] = [];
  const batched: CaughtUp[] = [];
  for (let run = 0; run < runs; run += 1) {
    singles.push(await catchUp(installation, entries, null));
    batched.push(await catchUp(installation, entries, MOST));
  }
  const single = singles.map((one) => one.perSecond);
  const inBatches = batched.map((one) => one.perSecond);
  const thousands = (entries * runs) / 1_000;
  const carried = medianOf(batched.map((one) => entries / one.requests));
  const unit = 'entries/s';
  return [
    { name: 'single entries', value: medianOf(single), unit, note: eachRun(single) },
    {
      name: `batches of ${MOST}`,
      value: medianOf(inBatches),
      unit,
      note: `${eachRun(inBatches)}; ${carried.toFixed(1)} entries a request`,
    },
    {
      name: 'batches to single entries',
      value: medianOf(inBatches) / medianOf(single),
      unit: '',
      goal: { least: 3 },
    },
    ...cpuFigures(sumOf(batched.map((one) => one.cpu)), thousands, { most: 0.04 }),
  ];
}

interface CaughtUp {
  /** Entries a second, between the first and the last arrival. */
  perSecond: number;
  requests: number;
  cpu: Cpu;
}

async function catchUp(
  installation: Installation,
  entries: number,
  most: number | null,
): Promise<CaughtUp> {
  await installation.endpoint.reset();
  const { result, cpu } = await installation.usage(async () => {
    const { id } = await installation.consumer({
      start: 'beginning',
      path: most === null ? '' : '/_batches',
      batch: most === null ? null : { max_entries: most, max_bytes: 1_048_576, max_wait_ms: 100 },
    });
    const received = await installation.endpoint.gets(entries, TIMEOUT_MS);
    await installation.api('DELETE', `/v1/consumers/${id}`);
    return received;
  });
  const { firstAt, lastAt, batches: requests } = result;
  return { perSecond: ((entries - 1) / (lastAt - firstAt)) * 1_000, requests, cpu };
}

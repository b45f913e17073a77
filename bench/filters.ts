import { medianOf } from '../test/support/percentiles.ts';
import { catchUp, eachRun } from './drain.ts';
import { clockMs } from './instruments/clock.ts';
import type { Figure } from './instruments/figures.ts';
import { fill } from './instruments/fill.ts';
import type { Installation } from './instruments/installation.ts';

const SYNCS = 5_000;
const SPARSE = 1_000;
const TIMEOUT_MS = 60_000;

/** Measures a filter of 5,000 syncs, alternating with a filter that passes everything, over the same entries. */
export async function filters(
  installation: Installation,
  { entries, runs }: { entries: number; runs: number },
): Promise<Figure[]> {
  await fill(installation.sql, {
    count: entries,
    dataBytes: 500,
    sync: `'sync-' || n % ${SYNCS}`,
    upstream: `'r-' || n % 10000`,
  });
  const everything: number[] = [];
  const many: number[] = [];
  const syncs = Array.from({ length: SYNCS }, (_, index) => `sync-${index}`);
  await measure({ syncs: ['*'] }); // warms up
  for (let run = 0; run <= runs; run += 1) {
    // One run more than asked for, because the two are close.
    everything.push(await measure({ syncs: ['*'] }));
    many.push(await measure({ syncs }));
  }
  return [
    {
      name: 'drain of ["*"]',
      value: medianOf(everything),
      unit: 'entries/s',
      note: eachRun(everything),
    },
    { name: 'drain of 5,000 syncs', value: medianOf(many), unit: 'entries/s', note: eachRun(many) },
    {
      name: '5,000 syncs to ["*"]',
      value: medianOf(many) / medianOf(everything),
      unit: '',
      goal: { least: 0.9 },
    },
  ];

  async function measure(filter: { syncs: string[] }): Promise<number> {
    const { perSecond, consumerId } = await catchUp(installation, filter, entries);
    await installation.api('DELETE', `/v1/consumers/${consumerId}`);
    return perSecond;
  }
}

/** Measures consumers that each match one entry in a thousand: by one sync, by 100 syncs, by a collection. */
export async function sparse(installation: Installation, entries: number): Promise<Figure[]> {
  await fill(installation.sql, {
    count: entries,
    dataBytes: 60,
    sync: `case n % ${SPARSE} when 1 then 'one' when 2 then 'few-' || n / ${SPARSE} % 100 else 'bulk-' || n % 977 end`,
    collection: `case n % ${SPARSE} when 3 then 'bench:rare' else 'bench:item' end`,
    upstream: `'r-' || n`,
  });
  const few = Array.from({ length: 100 }, (_, index) => `few-${index}`);
  const cases = [
    { name: 'one sync', filter: { syncs: ['one'] } },
    { name: '100 syncs', filter: { syncs: few } },
    { name: 'one collection', filter: { collections: ['bench:rare'] } },
  ];
  const figures: Figure[] = [];
  for (const { name, filter } of cases) {
    await installation.endpoint.reset();
    const askedAt = clockMs();
    const consumer = await installation.consumer({ ...filter, start: 'beginning' });
    const received = await installation.endpoint.gets(Math.ceil(entries / SPARSE), TIMEOUT_MS);
    await installation.api('DELETE', `/v1/consumers/${consumer.id}`);
    figures.push({
      name: `1 in 1,000 of ${entries.toLocaleString('en-US')}, by ${name}`,
      value: (received.lastAt - askedAt) / 1_000,
      unit: 's',
      goal: { most: 2 },
      note: 'from the request that creates the consumer to its last entry',
    });
  }
  return figures;
}

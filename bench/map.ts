import type { ConsumerBody } from '../src/schema/body.ts';
import { medianOf } from '../test/support/percentiles.ts';
import { catchUp, DRAINED, eachRun } from './drain.ts';
import type { Figure } from './instruments/figures.ts';
import { fill } from './instruments/fill.ts';
import type { Installation } from './instruments/installation.ts';

/** What a chat takes, made of the key and of the data. */
const MAP: ConsumerBody = {
  mode: 'map',
  expression:
    '{"text": event.event + " " + event.collection_id + " " + event.upstream_id, "data": event.data}',
};
const OTHERS: readonly ConsumerBody[] = [
  { mode: 'thin' },
  { mode: 'fields', pointers: ['/data/n'] },
  { mode: 'cloudevents' },
];

/** Measures a drain whose bodies are made by an expression, alternating with one that sends entries as they are. */
export async function map(
  installation: Installation,
  { entries, runs }: { entries: number; runs: number },
): Promise<Figure[]> {
  await fill(installation.sql, {
    ...DRAINED,
    count: entries,
  });
  const full: number[] = [];
  const mapped: number[] = [];
  await measure({ mode: 'full' }); // warms up
  for (let run = 0; run < runs; run += 1) {
    full.push(await measure({ mode: 'full' }));
    mapped.push(await measure(MAP));
  }
  const unit = 'entries/s';
  const figures: Figure[] = [
    { name: 'drain of whole entries', value: medianOf(full), unit, note: eachRun(full) },
    { name: 'drain by an expression', value: medianOf(mapped), unit, note: eachRun(mapped) },
    {
      name: 'by an expression to whole',
      value: medianOf(mapped) / medianOf(full),
      unit: '',
      goal: { least: 0.6 },
    },
  ];
  for (const body of OTHERS) {
    figures.push({ name: `drain of ${body.mode}`, value: await measure(body), unit });
  }
  return figures;

  async function measure(body: ConsumerBody): Promise<number> {
    const { perSecond, consumerId } = await catchUp(installation, { body }, entries);
    await installation.api('DELETE', `/v1/consumers/${consumerId}`);
    return perSecond;
  }
}

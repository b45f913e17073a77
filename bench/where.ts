import { medianOf } from '../test/support/percentiles.ts';
import { catchUp, DRAINED, eachRun } from './drain.ts';
import { clockMs } from './instruments/clock.ts';
import type { Figure } from './instruments/figures.ts';
import { fill } from './instruments/fill.ts';
import type { Installation } from './instruments/installation.ts';

/** True for every entry, so that both sides send the same ones. */
const ALL = 'event.data.amount > 100 && "vip" in event.data.tags';
/** True for one entry in a hundred. */
const FEW = 'event.data.amount == 101 && "vip" in event.data.tags';
const SPREAD = 100;
const TIMEOUT_MS = 60_000;

/** Measures a condition that every entry satisfies, alternating with none, over the same entries; then a rare one. */
export async function where(
  installation: Installation,
  { entries, runs }: { entries: number; runs: number },
): Promise<Figure[]> {
  await fill(installation.sql, {
    ...DRAINED,
    count: entries,
    members: `'"amount":' || 101 + n % ${SPREAD} || ',"tags":["new","vip"],'`,
  });
  const without: number[] = [];
  const withIt: number[] = [];
  await measure({}); // warms up
  for (let run = 0; run <= runs; run += 1) {
    without.push(await measure({}));
    withIt.push(await measure({ where: ALL }));
  }
  return [
    { name: 'drain', value: medianOf(without), unit: 'entries/s', note: eachRun(without) },
    {
      name: 'drain with a condition',
      value: medianOf(withIt),
      unit: 'entries/s',
      note: `${eachRun(withIt)}; ${ALL}`,
    },
    {
      name: 'with a condition to without',
      value: medianOf(withIt) / medianOf(without),
      unit: '',
      goal: { least: 0.6 },
    },
    await measureFew(),
  ];

  async function measure(filter: { where?: string }): Promise<number> {
    const all = { syncs: ['*'], ...filter };
    const { perSecond, consumerId } = await catchUp(installation, all, entries);
    await installation.api('DELETE', `/v1/consumers/${consumerId}`);
    return perSecond;
  }

  async function measureFew(): Promise<Figure> {
    await installation.endpoint.reset();
    const askedAt = clockMs();
    const consumer = await installation.consumer({ where: FEW, start: 'beginning' });
    const matching = Math.floor(entries / SPREAD);
    const received = await installation.endpoint.gets(matching, TIMEOUT_MS);
    await installation.api('DELETE', `/v1/consumers/${consumer.id}`);
    return {
      name: `entries looked at where 1 in ${SPREAD} satisfies the condition`,
      value: (entries / (received.lastAt - askedAt)) * 1_000,
      unit: 'entries/s',
      note: 'from the request that creates the consumer to its last entry',
    };
  }
}

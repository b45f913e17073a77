import type { Figure } from './instruments/figures.ts';
import type { Installation } from './instruments/installation.ts';
import { produce, warm } from './push.ts';

const GOALS = [
  { rate: 200, p50: 3, p99: 12 },
  { rate: 1_000, p50: 4, p99: 25 },
];
const SETTLE_MS = 30_000;
const LOAD = { connections: 64, prefix: 'latency', syncs: 100, records: 10_000, dataBytes: 500 };

/**
 * Measures the time from a single append to its receipt by an active consumer. Appends follow a fixed schedule
 * and do not wait for answers.
 */
export async function latency(installation: Installation, seconds: number): Promise<Figure[]> {
  const consumer = await installation.consumer({ start: 'end' });
  const figures: Figure[] = [];
  for (const goal of GOALS) figures.push(...(await atRate(installation, goal, seconds)));
  await installation.api('DELETE', `/v1/consumers/${consumer.id}`);
  return figures;
}

async function atRate(
  installation: Installation,
  { rate, p50, p99 }: (typeof GOALS)[number],
  seconds: number,
): Promise<Figure[]> {
  await warm(installation, { ...LOAD, rate });
  await installation.endpoint.reset({ latency: true });
  const produced = await produce(installation, { ...LOAD, rate, seconds });
  await installation.endpoint.gets(produced.appended, SETTLE_MS);
  const received = await installation.endpoint.latency();
  const name = `at ${rate}/s: append → received`;
  const { answer, late } = produced;
  return [
    { name: `${name} p50`, value: received.p50, unit: 'ms', goal: { most: p50 } },
    { name: `${name} p95`, value: received.p95, unit: 'ms' },
    {
      name: `${name} p99`,
      value: received.p99,
      unit: 'ms',
      goal: { most: p99 },
      note: `append → answer p50 ${answer.p50.toFixed(1)}, p99 ${answer.p99.toFixed(1)}; generator late p99 ${late.p99.toFixed(1)}`,
    },
  ];
}

import { runChild } from './instruments/child.ts';
import { cpuFigures } from './instruments/cpu.ts';
import type { Figure } from './instruments/figures.ts';
import type { Installation } from './instruments/installation.ts';
import type { Produced, ProduceSettings } from './instruments/produce.ts';

const PRODUCE = new URL('./instruments/produce.ts', import.meta.url);
const WARM_SECONDS = 3;
const SETTLE_MS = 60_000;
const ENTRIES = { syncs: 100, records: 10_000, dataBytes: 500 };

/** Runs the producer in a process of its own. */
export function produce(
  installation: Installation,
  settings: Omit<ProduceSettings, 'url' | 'apiKey'>,
): Promise<Produced> {
  const { url, apiKey } = installation;
  return runChild<Produced>(PRODUCE, { url, apiKey, ...settings });
}

/**
 * Measures appends of single entries over 64 connections, each sent as soon as the one before is answered,
 * while a consumer delivers them.
 */
export async function push(installation: Installation, seconds: number): Promise<Figure[]> {
  const load = { ...ENTRIES, rate: null, connections: 64, prefix: 'push' };
  const consumer = await installation.consumer({ start: 'end' });
  await warm(installation, load);
  await installation.endpoint.reset({ latency: true });
  const measured = await installation.usage(async () => {
    const produced = await produce(installation, { ...load, seconds });
    return { produced, received: await installation.endpoint.gets(produced.appended, SETTLE_MS) };
  });
  const { produced, received } = measured.result;
  const delivered = (received.total / (received.lastAt - received.firstAt)) * 1_000;
  const latency = await installation.endpoint.latency();
  await installation.api('DELETE', `/v1/consumers/${consumer.id}`);
  const ms = { unit: 'ms' };
  return [
    {
      name: 'push: appended',
      value: produced.perSecond,
      unit: 'entries/s',
      goal: { least: 7_000 },
    },
    { name: 'push: delivered', value: delivered, unit: 'entries/s', goal: { least: 7_000 } },
    { name: 'push: append → answer p50', value: produced.answer.p50, ...ms },
    { name: 'push: append → answer p99', value: produced.answer.p99, ...ms },
    { name: 'push: append → received p50', value: latency.p50, ...ms },
    { name: 'push: append → received p95', value: latency.p95, ...ms },
    { name: 'push: append → received p99', value: latency.p99, ...ms },
    ...cpuFigures({ ...measured.cpu, producer: produced.cpuSeconds }, produced.appended / 1_000),
  ];
}

/** Warms up without measuring: afterwards code is compiled, connections are open and the consumer is active. */
export async function warm(
  installation: Installation,
  load: Omit<ProduceSettings, 'url' | 'apiKey' | 'seconds'>,
): Promise<void> {
  await installation.endpoint.reset();
  const { appended } = await produce(installation, { ...load, seconds: WARM_SECONDS });
  await installation.endpoint.gets(appended, SETTLE_MS);
}

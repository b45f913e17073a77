import { runChild } from './instruments/child.ts';
import { cpuFigures } from './instruments/cpu.ts';
import type { Figure } from './instruments/figures.ts';
import type { Produced, ProduceSettings } from './instruments/produce.ts';
import type { Session } from './instruments/session.ts';

const PRODUCE = new URL('./instruments/produce.ts', import.meta.url);
const WARM_SECONDS = 3;
const SETTLE_MS = 60_000;
const ENTRIES = { syncs: 100, records: 10_000, dataBytes: 500 };

/** Runs the producer in a process of its own. */
export function produce(
  session: Session,
  settings: Omit<ProduceSettings, 'url' | 'apiKey'>,
): Promise<Produced> {
  const { url, apiKey } = session;
  return runChild<Produced>(PRODUCE, { url, apiKey, ...settings });
}

/** Single-entry appends from 64 connections, as fast as answers come, while a consumer delivers. */
export async function push(session: Session, seconds: number): Promise<Figure[]> {
  const load = { ...ENTRIES, rate: null, connections: 64, prefix: 'push' };
  const consumer = await session.consumer({ start: 'end' });
  await warm(session, load);
  await session.endpoint.reset({ latency: true });
  const measured = await session.usage(async () => {
    const produced = await produce(session, { ...load, seconds });
    return { produced, received: await session.endpoint.gets(produced.appended, SETTLE_MS) };
  });
  const { produced, received } = measured.result;
  const delivered = (received.total / (received.lastAt - received.firstAt)) * 1_000;
  const latency = await session.endpoint.latency();
  await session.api('DELETE', `/v1/consumers/${consumer.id}`);
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

/** Not measured: code is compiled, connections are open, the consumer is awake. */
export async function warm(
  session: Session,
  load: Omit<ProduceSettings, 'url' | 'apiKey' | 'seconds'>,
): Promise<void> {
  await session.endpoint.reset();
  const { appended } = await produce(session, { ...load, seconds: WARM_SECONDS });
  await session.endpoint.gets(appended, SETTLE_MS);
}

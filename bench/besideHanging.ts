import type { Target } from '../src/schema/target.ts';
import type { Percentiles } from '../test/support/percentiles.ts';
import type { Figure } from './instruments/figures.ts';
import type { Installation } from './instruments/installation.ts';

/** A consumer, with a target of its own, whose endpoint hangs. */
export interface HangingConsumer {
  number: number;
  /** How many requests its endpoint answers before it hangs. */
  answered: number;
  sync: string;
  start: 'beginning' | 'end';
  /** Settings of its target that differ from the defaults. */
  target?: { timeout_ms: number; max_in_flight: number };
}

/** Creates a consumer whose endpoint hangs. */
export async function createHanging(
  installation: Installation,
  { number, answered, sync, start, target }: HangingConsumer,
): Promise<void> {
  const name = `hanging ${number}`;
  const { id } = await installation.api<Target>('POST', '/v1/targets', {
    name,
    base_url: installation.endpoint.url,
    ...target,
  });
  await installation.consumer({
    name,
    target_id: id,
    path: `/_hang/${answered}/${number}`,
    syncs: [sync],
    start,
  });
}

/** How the latency of the healthy consumers beside hanging ones compares with their latency alone. */
export function toAlone(
  name: string,
  { latency }: { latency: Percentiles },
  alone: { latency: Percentiles },
): Figure {
  const value = latency.p99 / alone.latency.p99;
  return { name: `${name}: p99 to alone`, value, unit: '', goal: { most: 3 } };
}

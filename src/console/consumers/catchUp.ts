import { useEffect, useState } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import { duration, number } from '../words.ts';

interface Sample {
  at: number;
  lag: number;
}

const WINDOW_MS = 60_000;
const LEAST_MS = 5_000;

/** When a lag will be gone, estimated by its change in the last minute; null while that is unknown. */
export function catchUp(samples: readonly Sample[]): string | null {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || last.lag === 0) return null;
  const seconds = (last.at - first.at) / 1_000;
  if (seconds * 1_000 < LEAST_MS) return 'measuring…';
  const shrinking = (first.lag - last.lag) / seconds;
  if (shrinking > 0) return `caught up in about ${duration(last.lag / shrinking)}`;
  if (shrinking === 0) return 'not shrinking';
  return `growing by ${number(Math.ceil(-shrinking))} a second`;
}

/** The same estimate for a consumer that is read again and again. */
export function useCatchUp(consumer: Consumer): string | null {
  const [samples, setSamples] = useState<Sample[]>([]);
  const { status, lag } = consumer;
  const time = consumer.health.time;
  useEffect(() => {
    const at = Date.parse(time);
    setSamples((before) => [
      ...before.filter((one) => one.at > at - WINDOW_MS && one.at < at),
      { at, lag: lag.entries },
    ]);
  }, [time, lag.entries]);
  return status === 'active' ? catchUp(samples) : null;
}

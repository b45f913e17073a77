import type { Info } from '../schema/info.ts';
import type { ServiceConfig } from './config.ts';

/** What `/v1/info` says of this process. */
export function infoOf(config: ServiceConfig, version: string): Info {
  return {
    version,
    region: config.region,
    retry_window: toDuration(config.retryWindowMs),
    retention: {
      events: toDuration(config.eventRetentionMs),
      attempts: toDuration(config.attemptRetentionMs),
    },
    temporal: {
      address: config.temporalAddress,
      namespace: config.temporalNamespace,
      ui_url: config.temporalUiUrl,
    },
    dev_receiver_url: config.devReceiverUrl,
  };
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const;

/** In the largest unit that divides it, but a day is `24h`: the form that the variables take. */
export function toDuration(ms: number): string {
  if (ms === 86_400_000) return '24h';
  const [unit, size] = UNITS.find(([, size]) => ms % size === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}

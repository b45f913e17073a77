import type { Info } from '../schema/info.ts';
import type { ServiceConfig } from './config.ts';

/** What `/v1/info` answers about this process. */
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
    dev_outbox: config.devReceiverUrl !== null && config.smtpUrl === null,
  };
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const;

/** Prints a duration as the variables take it, in the largest unit that divides it; one day is `24h`. */
export function toDuration(ms: number): string {
  if (ms === 86_400_000) return '24h';
  const [unit, size] = UNITS.find(([, size]) => ms % size === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}

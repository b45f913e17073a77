import { z } from 'zod';

import { Timestamp } from '../schema/fields.ts';

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time in a query, or how long ago it was (`15m`); parsed into unix ms. */
export const Moment = z
  .string()
  .refine(
    (text) => Timestamp.safeParse(text).success || agoMs(text) !== null,
    'must be an RFC 3339 time, or how long ago: 30s, 15m, 1h, 7d',
  )
  .transform((text) => {
    const ago = agoMs(text);
    return ago === null ? Date.parse(Timestamp.parse(text)) : Date.now() - ago;
  })
  .meta({ description: 'RFC 3339, or how long ago: 30s, 15m, 1h, 7d', example: '15m' });

/** A duration in a query, in seconds or as `30s`; parsed into seconds. */
export const Seconds = z
  .string()
  .refine(
    (text) => secondsOf(text) !== null,
    'must be whole seconds, or a duration such as 30s, 1m, 1h, 1d',
  )
  .transform((text) => secondsOf(text) ?? 0)
  .meta({ description: 'Whole seconds, or a duration such as 30s, 1m, 1h, 1d', example: '1m' });

/** How long a list may wait for the first `what` where there is none yet, ms; 0: not at all. */
export function waitFor(what: string) {
  return z.coerce
    .number()
    .int()
    .min(0)
    .max(30_000)
    .default(0)
    .meta({ description: `How many milliseconds to wait for the first ${what}` });
}

function secondsOf(text: string): number | null {
  const ms = agoMs(/^\d+$/u.test(text) ? `${text}s` : text);
  return ms === null || ms === 0 ? null : ms / 1_000;
}

function agoMs(text: string): number | null {
  const [, count, unit] = /^(\d{1,6})([smhd])$/u.exec(text) ?? [];
  return count === undefined ? null : Number(count) * UNITS[unit as keyof typeof UNITS];
}

import { local, utc, type Zone } from './words.ts';

/** As in `Time, in UTC`. */
export const ZONE_WORDS: Record<Zone, string> = { utc: 'in UTC', local: 'in your time zone' };

/** A time (unix ms) as a field for a date and a time has it: `2026-11-22T14:02:07`. */
export function fieldText(time: number, zone: Zone): string {
  const text = zone === 'utc' ? utc(time) : local(time);
  return text.slice(0, 19).replace(' ', 'T');
}

/** The time in such a field, RFC 3339; undefined for what is no time. */
export function fieldTime(text: string, zone: Zone): string | undefined {
  const time = new Date(zone === 'utc' ? `${text}Z` : text);
  return text === '' || Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

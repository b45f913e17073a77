/** How far back a chart goes, and its steps in seconds: never more points than the API answers. */
export const RANGES = {
  '1h': { since: '1h', step: 60, everyMs: 5_000 },
  '6h': { since: '6h', step: 120, everyMs: 15_000 },
  '24h': { since: '24h', step: 300, everyMs: 30_000 },
  '7d': { since: '7d', step: 1_800, everyMs: 60_000 },
} as const;
export type Range = keyof typeof RANGES;
export const RANGE_NAMES = Object.keys(RANGES) as Range[];

/** As in `in the last hour`. */
export const RANGE_WORDS: Record<Range, string> = {
  '1h': 'hour',
  '6h': '6 hours',
  '24h': '24 hours',
  '7d': '7 days',
};

const HOURS: Record<Range, number> = { '1h': 1, '6h': 6, '24h': 24, '7d': 168 };

/** The shortest range that holds what began then; an hour if nothing did, and the longest if it was earlier. */
export function rangeSince(began: string | null, now: number): Range {
  if (began === null) return '1h';
  const hours = (now - Date.parse(began)) / 3_600_000;
  return RANGE_NAMES.find((name) => hours < HOURS[name]) ?? '7d';
}

/** A step of whole minutes, as in `attempts a minute`. */
export function eachStep(seconds: number): string {
  if (seconds === 60) return 'per minute';
  return seconds % 60 === 0 ? `every ${seconds / 60} min` : `every ${seconds} s`;
}

/** Prints a number with its noun: `1 entry`, `1,204 entries`. */
export function amount(count: number, one: string, more = `${one}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : more}`;
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const;
/** The share of a duration that may be lost when it is rounded down to a unit. */
const NEARLY = 0.05;

/** Prints a duration in whole units, rounded down, in the largest unit that loses little: `60 hours`. */
export function inWords(ms: number): string {
  const [unit, size] = UNITS.find(([, size]) => ms >= 2 * size && (ms % size) / ms < NEARLY) ?? [
    'second',
    1_000,
  ];
  return amount(Math.floor(ms / size), unit);
}

const SIZES = ['bytes', 'KB', 'MB', 'GB', 'TB'] as const;

/** Prints a number of bytes in the largest unit that it fills, of 1,024 of the one before: `1.5 GB`, `820 MB`. */
export function sizeInWords(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10);
  const nth = Math.min(SIZES.length - 1, power);
  const size = bytes / 1024 ** nth;
  const digits = nth > 0 && size < 10 ? 1 : 0;
  return `${size.toLocaleString('en-US', { maximumFractionDigits: digits })} ${SIZES[nth]}`;
}

const UNITS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A length of time as `/v1/info` prints it, such as `24h`, in milliseconds; null if it is not one. */
export function lengthMs(text: string | undefined): number | null {
  const [, count, unit] = /^(\d+)(ms|s|m|h|d)$/u.exec(text ?? '') ?? [];
  const size = unit === undefined ? undefined : UNITS[unit];
  return size === undefined ? null : Number(count) * size;
}

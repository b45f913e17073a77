/** One reading of Postgres' clock, in monotonic ms of this process. */
export interface ClockReading {
  askedAt: number;
  answeredAt: number;
  /** What its clock showed in between, unix ms. */
  theirMs: number;
}

/**
 * The offset that has to be added to the monotonic clock to get the time of Postgres, ms. The shortest of the
 * round trips counts, from its middle. The offset `before` is kept while it is consistent with that reading, so
 * that the time does not jitter with the network.
 */
export function keepReading(readings: readonly ClockReading[], before: number | null): number {
  const [best] = readings.toSorted((a, b) => tripMs(a) - tripMs(b));
  if (best === undefined) throw new Error('a clock needs at least one reading');
  const base = best.theirMs - (best.askedAt + best.answeredAt) / 2;
  const doubt = tripMs(best) / 2;
  return before !== null && Math.abs(base - before) <= doubt ? before : base;
}

function tripMs({ askedAt, answeredAt }: ClockReading): number {
  return answeredAt - askedAt;
}

/** The deviation of a clock from that of Postgres, in words: `361.0 s ahead of that of Postgres`. */
export function aheadText(aheadMs: number): string {
  const seconds = (Math.abs(aheadMs) / 1_000).toFixed(1);
  return `${seconds} s ${aheadMs < 0 ? 'behind' : 'ahead of'} that of Postgres`;
}

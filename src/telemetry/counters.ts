import type { Source } from './metrics.ts';

/** A histogram of durations. */
export interface Durations extends Source {
  /** Adds one duration, in milliseconds. */
  add(ms: number): void;
}

/** Upper bounds of the buckets, in ms, up to the longest timeout of a target. */
const BOUNDS_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 15_000];
/** Further bounds, for durations that may include waiting for a process or for Temporal. */
const LONG_BOUNDS_MS = [...BOUNDS_MS, 30_000, 60_000, 300_000];

/**
 * Creates a histogram in seconds. Adding to it only increments numbers in an array: a call to a client
 * library for each delivery would cost more than the delivery's share of the commit. With `long`, there are buckets
 * up to five minutes.
 */
export function createDurations(name: string, help: string, { long = false } = {}): Durations {
  const bounds = long ? LONG_BOUNDS_MS : BOUNDS_MS;
  const buckets = new Float64Array(bounds.length + 1);
  let sumMs = 0;

  function add(ms: number): void {
    let index = 0;
    while (index < bounds.length && ms > bounds[index]!) index += 1;
    buckets[index]! += 1;
    sumMs += ms;
  }

  function get(): ReturnType<Source['get']> {
    let below = 0;
    const values = [...buckets].map((count, index) => {
      below += count;
      const bound = bounds[index];
      const le = bound === undefined ? '+Inf' : String(bound / 1_000);
      return { metricName: `${name}_bucket`, labels: { le }, value: below };
    });
    return Promise.resolve({
      name,
      help,
      type: 'histogram',
      values: [
        ...values,
        { metricName: `${name}_sum`, labels: {}, value: sumMs / 1_000 },
        { metricName: `${name}_count`, labels: {}, value: below },
      ],
    });
  }

  return { name, add, get };
}

/** Counters of one name that differ by their labels. */
export interface Counts<L extends string> extends Source {
  /** Returns the counter for these labels, which the caller increments; keep it on a hot path. */
  of(labels: Record<L, string>): { count: number };
}

/** Creates the counters of one name; each begins at 0. */
export function createCounts<L extends string>(name: string, help: string): Counts<L> {
  const counters = new Map<string, { labels: Record<L, string>; count: number }>();

  function of(labels: Record<L, string>): { count: number } {
    const key = JSON.stringify(labels);
    let counter = counters.get(key);
    if (counter === undefined) counters.set(key, (counter = { labels, count: 0 }));
    return counter;
  }

  function get(): ReturnType<Source['get']> {
    const values = [...counters.values()].map(({ labels, count }) => ({ labels, value: count }));
    return Promise.resolve({ name, help, type: 'counter', values });
  }

  return { name, of, get };
}

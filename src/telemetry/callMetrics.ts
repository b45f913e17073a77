import type { Metrics } from './metrics.ts';

/** The figures of the queue of calls to Temporal. */
export interface CallsReading {
  limit: number;
  waiting: number;
  failures: number;
}

/** Adds how many calls to Temporal may be in progress, how many wait, and how many have failed. */
export function showCalls(metrics: Metrics, read: () => CallsReading): void {
  metrics.gauge(
    'millrace_temporal_calls_limit',
    'How many paced calls to Temporal may be under way',
    () => read().limit,
  );
  metrics.gauge(
    'millrace_temporal_calls_waiting',
    'Paced calls to Temporal that are waiting for their turn',
    () => read().waiting,
  );
  const name = 'millrace_temporal_call_failures_total';
  const help = 'Paced calls to Temporal that have failed';
  metrics.register({
    name,
    get: () => {
      const values = [{ labels: {}, value: read().failures }];
      return Promise.resolve({ name, help, type: 'counter', values });
    },
  });
}

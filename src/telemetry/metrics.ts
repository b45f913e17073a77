import { collectDefaultMetrics, Gauge, Registry, type Metric } from 'prom-client';

import type { Db } from '../db/db.ts';

/** What one process shows to Prometheus. */
export interface Metrics {
  /** A number that is read at each scrape. */
  gauge(name: string, help: string, read: () => number): void;
  /** Numbers by one label, read at each scrape. */
  gauges(name: string, help: string, label: string, read: () => Record<string, number>): void;
  register(...metrics: Source[]): void;
  /** In Prometheus' text format 0.0.4. */
  text(): Promise<string>;
}

/** Something that answers a scrape with its values. */
export interface Source {
  readonly name: string;
  get(): Promise<{ name: string; help: string; type: string; values: unknown[] }>;
}

/** `content-type` of `text()`. */
export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** A registry of its own, with the figures of the process (`process_`, `nodejs_`) in it. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });

  function gauge(name: string, help: string, read: () => number): void {
    const made: Gauge = new Gauge({
      name,
      help,
      registers: [registry],
      collect: () => made.set(read()),
    });
  }

  function gauges(
    name: string,
    help: string,
    label: string,
    read: () => Record<string, number>,
  ): void {
    const made: Gauge = new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [registry],
      collect: () => {
        for (const [value, number] of Object.entries(read())) made.set({ [label]: value }, number);
      },
    });
  }

  return {
    gauge,
    gauges,
    register: (...metrics) => {
      // The registry asks for a name and `get` alone.
      for (const metric of metrics) registry.registerMetric(metric as unknown as Metric);
    },
    text: () => registry.metrics(),
  };
}

/** Connections of the pool by state. */
export function showPool(metrics: Metrics, db: Pick<Db, 'connections'>): void {
  metrics.gauges(
    'millrace_postgres_pool_connections',
    'Postgres connections of the pool by state; waiting counts who waits for one',
    'state',
    () => ({ ...db.connections() }),
  );
}

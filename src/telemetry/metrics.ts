import { collectDefaultMetrics, Gauge, Registry, type Metric } from 'prom-client';

import type { Db } from '../db/db.ts';

/** The metrics that one process shows to Prometheus. */
export interface Metrics {
  /** Adds a number that is read at each scrape. */
  gauge(name: string, help: string, read: () => number): void;
  /** Adds numbers that differ in one label and are read at each scrape. */
  gauges(name: string, help: string, label: string, read: () => Record<string, number>): void;
  register(...metrics: Source[]): void;
  /** Renders all metrics in the Prometheus text format 0.0.4. */
  text(): Promise<string>;
}

/** A metric that supplies its values at each scrape. */
export interface Source {
  readonly name: string;
  get(): Promise<{ name: string; help: string; type: string; values: unknown[] }>;
}

/** The `content-type` of `text()`. */
export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** Creates a registry that already has the metrics of the process (`process_`, `nodejs_`). */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });

  function gauge(name: string, help: string, read: () => number): void {
    const added: Gauge = new Gauge({
      name,
      help,
      registers: [registry],
      collect: () => added.set(read()),
    });
  }

  function gauges(
    name: string,
    help: string,
    label: string,
    read: () => Record<string, number>,
  ): void {
    const added: Gauge = new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [registry],
      collect: () => {
        for (const [value, number] of Object.entries(read())) added.set({ [label]: value }, number);
      },
    });
  }

  return {
    gauge,
    gauges,
    register: (...metrics) => {
      // The registry needs nothing but a name and `get`.
      for (const metric of metrics) registry.registerMetric(metric as unknown as Metric);
    },
    text: () => registry.metrics(),
  };
}

/** Adds a gauge of how far this machine's clock is ahead of that of Postgres; 0 until it was measured. */
export function showClock(metrics: Metrics, clock: { readonly aheadMs: number | null }): void {
  metrics.gauge(
    'millrace_clock_offset_seconds',
    "How far this machine's clock is ahead of that of Postgres",
    () => (clock.aheadMs ?? 0) / 1_000,
  );
}

/** Adds a gauge of the pool's connections by state. */
export function showPool(metrics: Metrics, db: Pick<Db, 'connections'>): void {
  metrics.gauges(
    'millrace_postgres_pool_connections',
    'Postgres connections of the pool by state; waiting counts callers that wait for one',
    'state',
    () => ({ ...db.connections() }),
  );
}

import type { Logger } from 'pino';

import type { Metrics, Source } from './metrics.ts';

/** One value of a metric. */
export interface Value {
  labels: Record<string, string>;
  value: number;
}

/** Metrics made of figures that are read from Postgres together; while it is away they are missing. */
export interface FigureMetrics<F> {
  /** The figures of this scrape; null when they could not be read. */
  read(): Promise<F | null>;
  /** A metric of several values. */
  show(name: string, help: string, values: (figures: F) => Value[]): Source;
  /** For each thing and each status: 1 if it has this status, 0 otherwise. Things are named by the label `of`. */
  states<S extends string>(
    metric: { name: string; help: string; of: string; statuses: readonly S[] },
    things: (figures: F) => readonly { id: string; status: S }[],
  ): Source;
  /** A metric of one value. */
  all(name: string, help: string, value: (figures: F) => number): Source;
}

export interface FigureMetricsOptions<F> {
  readFigures: () => Promise<F>;
  /** How long figures are used again before Postgres is asked again, ms. */
  keepMs: number;
  log: Pick<Logger, 'warn'>;
  /** Logged when the figures could not be read. */
  failed: string;
}

/** What a group of metrics about things in Postgres needs. */
export interface GaugesOptions extends Pick<FigureMetricsOptions<unknown>, 'keepMs' | 'log'> {
  metrics: Metrics;
  /** How many of them have series of their own. */
  limit: number;
}

/** Creates metrics whose figures are read once for all of them, and no more often than each `keepMs`. */
export function createFigureMetrics<F>(options: FigureMetricsOptions<F>): FigureMetrics<F> {
  const { readFigures, keepMs, log, failed } = options;
  let last: { at: number; read: Promise<F | null> } | null = null;

  function read(): Promise<F | null> {
    const now = performance.now();
    if (last === null || now - last.at > keepMs) {
      last = {
        at: now,
        read: readFigures().catch((error: unknown) => {
          log.warn({ err: error }, failed);
          return null; // the scrape continues without them
        }),
      };
    }
    return last.read;
  }

  /** Prometheus tells a counter by its name. */
  function show(name: string, help: string, values: (figures: F) => Value[]): Source {
    const type = name.endsWith('_total') ? 'counter' : 'gauge';
    const get: Source['get'] = async () => {
      const figures = await read();
      return { name, help, type, values: figures === null ? [] : values(figures) };
    };
    return { name, get };
  }

  return {
    read,
    show,
    states: ({ name, help, of, statuses }, things) =>
      show(name, help, (figures) =>
        things(figures).flatMap(({ id, status }) =>
          statuses.map((state) => ({
            labels: { [of]: id, state },
            value: state === status ? 1 : 0,
          })),
        ),
      ),
    all: (name, help, value) =>
      show(name, help, (figures) => [{ labels: {}, value: value(figures) }]),
  };
}

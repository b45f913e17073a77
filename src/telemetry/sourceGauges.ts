import type { Sql } from '../db/db.ts';
import { createFigureMetrics, type GaugesOptions, type Value } from './figureMetrics.ts';
import type { Source } from './metrics.ts';
import { readSourceFigures, type SourceFigures } from './sourceFigures.ts';

const STATUSES = ['active', 'paused', 'failed', 'deleting'] as const;

/** Registers metrics of the sources, read from Postgres; while it is away these series are missing. */
export function showSourceGauges({
  metrics,
  sql,
  limit,
  keepMs,
  log,
}: GaugesOptions & { sql: Sql }): void {
  const { show, states, all } = createFigureMetrics({
    readFigures: () => readSourceFigures(sql, limit),
    keepMs,
    log,
    failed: 'sources could not be counted for metrics',
  });

  /** A source has no value where it is not known yet. */
  function each(name: string, help: string, value: (one: SourceFigures) => number | null): Source {
    return show(name, help, ({ sources }) =>
      sources.flatMap((one): Value[] => {
        const known = value(one);
        return known === null ? [] : [{ labels: { source: one.id }, value: known }];
      }),
    );
  }

  metrics.register(
    each(
      'millrace_source_lag_bytes',
      'How much of the log of its database is not stored, as it was measured last',
      (one) => one.lagBytes,
    ),
    each(
      'millrace_source_lag_seconds',
      'How old the oldest change is that is not stored, as it was measured last',
      (one) => one.lagSeconds,
    ),
    each(
      'millrace_source_silent_seconds',
      'How long ago its tables changed last',
      (one) => one.silentSeconds,
    ),
    each(
      'millrace_source_interrupted',
      "1 while the source can't go on and is tried again",
      (one) => (one.isInterrupted ? 1 : 0),
    ),
    each(
      'millrace_source_changes_total',
      'Changes of its tables that have come in the log of its database',
      (one) => one.changes,
    ),
    each(
      'millrace_source_problems_total',
      'Rows that could not be turned into records',
      (one) => one.problems,
    ),
    states(
      {
        name: 'millrace_source_state',
        help: '1 for the status of the source, 0 for the others',
        of: 'source',
        statuses: STATUSES,
      },
      ({ sources }) => sources,
    ),
    show('millrace_sources', 'All sources by status', (figures) =>
      STATUSES.map((state) => ({ labels: { state }, value: figures.all[state] })),
    ),
    all(
      'millrace_sources_interrupted',
      "Sources that can't go on at the moment and are tried again",
      ({ all: sum }) => sum.interrupted,
    ),
    all(
      'millrace_all_source_lag_bytes',
      'The largest lag of all sources',
      ({ all: sum }) => sum.lagBytes,
    ),
    all(
      'millrace_all_source_lag_seconds',
      'The age of the oldest change that is not stored of all sources',
      ({ all: sum }) => sum.lagSeconds,
    ),
  );
}

import type { Sql } from '../db/db.ts';
import { START_FAULT_CODES } from '../rules/startFault.ts';
import { readConsumerFigures, type ConsumerFigures } from './consumerFigures.ts';
import { createFigureMetrics, type GaugesOptions } from './figureMetrics.ts';
import type { Source } from './metrics.ts';

const STATUSES = ['active', 'paused', 'blocked', 'stopped'] as const;

/** Registers gauges of the consumers, read from Postgres; while it is away these series are missing. */
export function showConsumerGauges({
  metrics,
  sql,
  limit,
  keepMs,
  log,
}: GaugesOptions & { sql: Sql }): void {
  const { read, show, states, all } = createFigureMetrics({
    readFigures: () => readConsumerFigures(sql, limit),
    keepMs,
    log,
    failed: 'consumers could not be counted for metrics',
  });

  function each(name: string, help: string, value: (one: ConsumerFigures) => number): Source {
    return show(name, help, ({ consumers }) =>
      consumers.map((one) => ({ labels: { consumer: one.id }, value: value(one) })),
    );
  }

  metrics.register(
    {
      name: 'millrace_postgres_up',
      get: async () => ({
        name: 'millrace_postgres_up',
        help: 'Whether Postgres answered when the consumers were last counted',
        type: 'gauge',
        values: [{ labels: {}, value: (await read()) === null ? 0 : 1 }],
      }),
    },
    each(
      'millrace_consumer_lag_entries',
      'Waiting entries as of the last minute; an upper bound when more than 10,000 entries follow the position',
      (one) => one.entries,
    ),
    each('millrace_consumer_lag_seconds', 'Age of the oldest waiting entry', (one) => one.seconds),
    each('millrace_consumer_parked', 'Parked entries', (one) => one.parked),
    each('millrace_dead_letters', 'Dead letters', (one) => one.dead),
    states(
      {
        name: 'millrace_consumer_state',
        help: '1 for the status of the consumer, 0 for the others',
        of: 'consumer',
        statuses: STATUSES,
      },
      ({ consumers }) => consumers,
    ),
    show('millrace_consumers', 'All consumers by status', (figures) =>
      STATUSES.map((state) => ({ labels: { state }, value: figures.all[state] })),
    ),
    all(
      'millrace_all_lag_entries',
      'Sum of the lag of all consumers',
      ({ all: sum }) => sum.entries,
    ),
    all(
      'millrace_all_lag_seconds',
      'Age of the oldest entry that waits for any consumer',
      ({ all: sum }) => sum.seconds,
    ),
    all('millrace_all_parked', 'Parked entries of all consumers', ({ all: sum }) => sum.parked),
    all('millrace_all_dead_letters', 'Dead letters of all consumers', ({ all: sum }) => sum.dead),
    show(
      'millrace_consumers_cannot_start',
      "Consumers that can't send because of a lasting fault that is not the endpoint's, by reason",
      ({ cannotStart }) =>
        START_FAULT_CODES.map((reason) => ({
          labels: { reason },
          value: cannotStart[reason] ?? 0,
        })),
    ),
    all(
      'millrace_visits_waiting',
      'Quiet consumers that want an entry and that no lane of visits has claimed yet',
      ({ waiting }) => waiting.visits,
    ),
    all(
      'millrace_visits_waiting_seconds',
      'How long the first of them has wanted it',
      ({ waiting }) => waiting.seconds,
    ),
    all(
      'millrace_outbox_unsent',
      'Mails and alert webhooks that are waiting to be sent',
      ({ unsent }) => unsent,
    ),
    show(
      'millrace_tail_delay_seconds',
      'Age of the oldest entry that has not been matched for idle consumers',
      ({ tailDelay }) =>
        Object.entries(tailDelay).map(([stream, value]) => ({ labels: { stream }, value })),
    ),
  );
}

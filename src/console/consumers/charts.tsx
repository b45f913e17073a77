import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import { api, type Metrics } from '../api.ts';
import { OverTime } from '../overTime.tsx';
import { sumText } from '../overview/sumText.ts';
import { eachStep, RANGES, type Range } from '../ranges.ts';
import { Chart } from '../ui/chart.tsx';
import type { ChartMark } from '../ui/chartMarks.ts';

/** A consumer this young may have delivered what no chart shows yet: its charts are read more often, ms. */
const YOUNG_MS = 120_000;
const YOUNG_EVERY_MS = 1_000;

interface Props {
  consumer: Pick<Consumer, 'id' | 'created_at'>;
  range: Range;
  onRange: (range: Range) => void;
  /** The events that explain the charts, the oldest first. */
  marks: readonly ChartMark[];
}

/** Charts of a consumer over time: outcomes, response times and lag. */
export function Charts({ consumer, range, onRange, marks }: Props) {
  const { id: consumerId, created_at } = consumer;
  const { since, step, everyMs } = RANGES[range];
  const isYoung = (): boolean => Date.now() < Date.parse(created_at) + YOUNG_MS;
  const query = useQuery({
    queryKey: ['metrics', consumerId, range],
    queryFn: async () => {
      const asked = { since, step: String(step) };
      const metrics = await api.consumers.metrics(consumerId, asked);
      return { ...metrics, range }; // while another range is read, the shown data says whose it is
    },
    refetchInterval: () => (isYoung() ? YOUNG_EVERY_MS : everyMs),
    placeholderData: keepPreviousData,
    retry: false,
  });
  return (
    <OverTime range={range} onRange={onRange} query={query}>
      {(metrics) => (
        <>
          <p className="text-soft">{sumText(metrics.data, metrics.range)}</p>
          <Series metrics={metrics} since={Date.parse(created_at)} marks={marks} />
        </>
      )}
    </OverTime>
  );
}

/** `since`: when the consumer was created, unix ms. There is nothing to show for the time before. */
function Series(props: { metrics: Metrics; since: number; marks: readonly ChartMark[] }) {
  const { metrics, since, marks } = props;
  const shown = useMemo(() => {
    const { data, step } = metrics;
    const values = (of: (point: Metrics['data'][number]) => number | null): (number | null)[] =>
      data.map((point) => (Date.parse(point.at) + step * 1_000 <= since ? null : of(point)));
    return {
      times: data.map(({ at }) => Date.parse(at) / 1_000),
      outcomes: [
        { title: 'delivered', colour: 'ok', values: values((point) => point.delivered) },
        { title: 'failed', colour: 'bad', values: values((point) => point.failed) },
      ],
      answers: [
        {
          title: 'p50',
          colour: 'accent',
          values: values((point) => point.p50_ms),
          whole: metrics.p50_ms,
        },
        {
          title: 'p95',
          colour: 'chart-2',
          values: values((point) => point.p95_ms),
          whole: metrics.p95_ms,
        },
        { title: 'p99', colour: 'chart-3', values: values((point) => point.p99_ms) },
      ],
      lag: [{ title: 'entries', colour: 'accent', values: values((point) => point.lag) }],
    };
  }, [metrics, since]);
  const { times } = shown;
  return (
    <div className="grid grid-cols-1 gap-4 lg:grid-cols-3">
      <Chart
        title={`Attempts ${eachStep(metrics.step)}`}
        kind="bars"
        times={times}
        series={shown.outcomes}
        marks={marks}
      />
      <Chart
        title="Response times"
        kind="lines"
        unit="ms"
        times={times}
        series={shown.answers}
        marks={marks}
      />
      <Chart title="Lag" kind="lines" times={times} series={shown.lag} marks={marks} />
    </div>
  );
}

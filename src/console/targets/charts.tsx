import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import type { TargetMetrics } from '../../schema/overview.ts';
import { api } from '../api.ts';
import { OverTime } from '../overTime.tsx';
import { sumText } from '../overview/sumText.ts';
import { eachStep, RANGES, type Range } from '../ranges.ts';
import { Chart } from '../ui/chart.tsx';

/** The attempts of all consumers of a target together over time. */
export function TargetCharts(props: {
  targetId: string;
  range: Range;
  onRange: (range: Range) => void;
}) {
  const { targetId, range, onRange } = props;
  const query = useQuery({
    queryKey: ['target-metrics', targetId, range],
    queryFn: () => api.targets.metrics(targetId, range),
    refetchInterval: RANGES[range].everyMs,
    placeholderData: keepPreviousData,
    retry: false,
  });
  return (
    <OverTime range={range} onRange={onRange} query={query}>
      {(metrics) => (
        <>
          <p className="text-soft">{sumText(metrics.data, metrics.range)}</p>
          <Series metrics={metrics} />
        </>
      )}
    </OverTime>
  );
}

function Series({ metrics }: { metrics: TargetMetrics }) {
  const { data, step, p50_ms, p95_ms } = metrics;
  const shown = useMemo(
    () => ({
      times: data.map(({ at }) => Date.parse(at) / 1_000),
      outcomes: [
        { title: 'delivered', colour: 'ok', values: data.map(({ delivered }) => delivered) },
        { title: 'failed', colour: 'bad', values: data.map(({ failed }) => failed) },
      ],
      answers: [
        {
          title: 'p50',
          colour: 'accent',
          values: data.map((point) => point.p50_ms),
          whole: p50_ms,
        },
        {
          title: 'p95',
          colour: 'chart-2',
          values: data.map((point) => point.p95_ms),
          whole: p95_ms,
        },
      ],
    }),
    [data, p50_ms, p95_ms],
  );
  return (
    <div className="grid grid-cols-1 gap-4 md:grid-cols-2">
      <Chart
        title={`Attempts ${eachStep(step)}`}
        kind="bars"
        times={shown.times}
        series={shown.outcomes}
      />
      <Chart
        title="Response times"
        kind="lines"
        unit="ms"
        times={shown.times}
        series={shown.answers}
      />
    </div>
  );
}

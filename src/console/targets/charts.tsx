import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import type { TargetMetrics } from '../../schema/overview.ts';
import { api } from '../api.ts';
import { OverTime } from '../overTime.tsx';
import { failureRate } from '../overview/failureRate.ts';
import { eachStep, RANGES, RANGE_WORDS, type Range } from '../ranges.ts';
import { Chart } from '../ui/chart.tsx';
import { number } from '../words.ts';

/** What all consumers of a target did together over time. */
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
          <p className="text-soft">{sumText(metrics)}</p>
          <Series metrics={metrics} />
        </>
      )}
    </OverTime>
  );
}

function Series({ metrics }: { metrics: TargetMetrics }) {
  const { data, step } = metrics;
  const shown = useMemo(
    () => ({
      times: data.map(({ at }) => Date.parse(at) / 1_000),
      outcomes: [
        { title: 'delivered', colour: 'ok', values: data.map(({ delivered }) => delivered) },
        { title: 'failed', colour: 'bad', values: data.map(({ failed }) => failed) },
      ],
      answers: [
        { title: 'p50', colour: 'accent', values: data.map(({ p50_ms }) => p50_ms) },
        { title: 'p95', colour: 'chart-2', values: data.map(({ p95_ms }) => p95_ms) },
      ],
    }),
    [data],
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
        title="Response time"
        kind="lines"
        unit="ms"
        times={shown.times}
        series={shown.answers}
      />
    </div>
  );
}

/** What the charts add up to, in a sentence. */
function sumText({ data, range }: TargetMetrics): string {
  const sum = (of: 'delivered' | 'failed'): number =>
    data.reduce((total, point) => total + (point[of] ?? 0), 0);
  const [delivered, failed] = [sum('delivered'), sum('failed')];
  const rate = failureRate({ delivered, failed });
  const span = RANGE_WORDS[range];
  if (rate === null) return `No attempts in the last ${span}.`;
  return `In the last ${span}: ${number(delivered)} delivered, ${number(failed)} failed (${rate} %).`;
}

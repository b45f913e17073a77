import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import { api, type Metrics } from '../api.ts';
import { Chart } from '../ui/chart.tsx';
import { Failed, Loading } from '../ui/notice.tsx';
import { Panel } from '../ui/panel.tsx';

/** How far back a chart goes, and its steps in seconds: never more points than the API answers. */
export const RANGES = {
  '1h': { since: '1h', step: 60, everyMs: 5_000 },
  '6h': { since: '6h', step: 120, everyMs: 15_000 },
  '24h': { since: '24h', step: 300, everyMs: 30_000 },
  '7d': { since: '7d', step: 1_800, everyMs: 60_000 },
} as const;
export type Range = keyof typeof RANGES;
export const RANGE_NAMES = Object.keys(RANGES) as Range[];

interface Props {
  consumerId: string;
  range: Range;
  onRange: (range: Range) => void;
}

/** Charts of a consumer over time: outcomes, answer times and lag. */
export function Charts({ consumerId, range, onRange }: Props) {
  const { since, step, everyMs } = RANGES[range];
  const { data, error, refetch } = useQuery({
    queryKey: ['metrics', consumerId, range],
    queryFn: () =>
      api.consumers.metrics(consumerId, { since, step: String(step) }) as Promise<Metrics>,
    refetchInterval: everyMs,
    placeholderData: keepPreviousData,
    retry: false,
  });
  return (
    <Panel
      title="Over time"
      actions={
        <div role="group" aria-label="How far back" className="flex gap-1">
          {RANGE_NAMES.map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === range}
              onClick={() => onRange(name)}
              className="min-h-7 rounded border border-line px-2 text-xs font-medium text-soft aria-pressed:border-accent aria-pressed:bg-accent-soft aria-pressed:text-accent"
            >
              {name}
            </button>
          ))}
        </div>
      }
    >
      {data === undefined && error === null && <Loading what="the series" />}
      {data === undefined && error !== null && (
        <Failed error={error} again={() => void refetch()} />
      )}
      {data !== undefined && <Series metrics={data} />}
    </Panel>
  );
}

function Series({ metrics }: { metrics: Metrics }) {
  const shown = useMemo(() => {
    const { data } = metrics;
    return {
      times: data.map(({ at }) => Date.parse(at) / 1_000),
      outcomes: [
        { title: 'delivered', colour: 'ok', values: data.map((point) => point.delivered) },
        { title: 'failed', colour: 'bad', values: data.map((point) => point.failed) },
      ],
      answers: [
        { title: 'p50', colour: 'accent', values: data.map((point) => point.p50_ms) },
        { title: 'p95', colour: 'chart-2', values: data.map((point) => point.p95_ms) },
        { title: 'p99', colour: 'chart-3', values: data.map((point) => point.p99_ms) },
      ],
      lag: [{ title: 'entries', colour: 'accent', values: data.map((point) => point.lag) }],
    };
  }, [metrics]);
  const { times } = shown;
  return (
    <div className="grid grid-cols-1 gap-4 lg:grid-cols-3">
      <Chart title="Attempts a step" kind="bars" times={times} series={shown.outcomes} />
      <Chart title="Answer time" kind="lines" unit="ms" times={times} series={shown.answers} />
      <Chart title="Lag" kind="lines" times={times} series={shown.lag} />
    </div>
  );
}

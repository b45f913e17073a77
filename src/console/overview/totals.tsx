import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import type { Overview, OverviewPoint } from '../../schema/overview.ts';
import { api } from '../api.ts';
import { eachStep, RANGES, type Range } from '../ranges.ts';
import { Chart } from '../ui/chart.tsx';
import { Failed, Loading } from '../ui/notice.tsx';
import { Panel } from '../ui/panel.tsx';
import { RangeChoice } from '../ui/rangeChoice.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { failureRates } from './failureRate.ts';
import { appendedText, sumsOf } from './sumText.ts';
import { TopConsumers } from './top.tsx';

/** The attempts of all consumers together over time, and the consumers with the most of them. */
export function Totals(props: { range: Range; onRange: (range: Range) => void }) {
  const { range, onRange } = props;
  const { data, error, refetch } = useQuery({
    queryKey: ['overview', range],
    queryFn: () => api.overview(range),
    refetchInterval: RANGES[range].everyMs,
    placeholderData: keepPreviousData,
  });
  return (
    <>
      <Panel title="All deliveries" actions={<RangeChoice value={range} onChange={onRange} />}>
        {data === undefined && error === null && <Loading what="charts" />}
        {data === undefined && error !== null && (
          <Failed error={error} again={() => void refetch()} />
        )}
        {data !== undefined && (
          <>
            <Sums overview={data} />
            <Charts overview={data} />
          </>
        )}
      </Panel>
      {data !== undefined && <TopConsumers top={data.top} />}
    </>
  );
}

/** What the charts show, in numbers, from when on: the lists beside them begin at the same time. */
function Sums({ overview }: { overview: Overview }) {
  const { series, top } = overview;
  const sums = sumsOf(series);
  const appended = appendedText(series);
  const since = <TimeText at={top.since} isMinute />;
  return (
    <p className="text-soft">
      {sums === null ? (
        <>No attempts since {since}.</>
      ) : (
        <>
          Since {since}: {sums}
          {appended !== undefined && `, ${appended}`}.
        </>
      )}
    </p>
  );
}

function Charts({ overview }: { overview: Overview }) {
  const shown = useMemo(() => {
    const { series } = overview;
    const values = (of: (point: OverviewPoint) => number | null): (number | null)[] =>
      series.map(of);
    return {
      times: series.map(({ at }) => Date.parse(at) / 1_000),
      outcomes: [
        { title: 'delivered', colour: 'ok', values: values(({ delivered }) => delivered) },
        { title: 'failed', colour: 'bad', values: values(({ failed }) => failed) },
      ],
      rate: [{ title: 'of attempts', colour: 'bad', values: failureRates(series) }],
      answers: [
        {
          title: 'p50',
          colour: 'accent',
          values: values((point) => point.p50_ms),
          whole: overview.p50_ms,
        },
        {
          title: 'p95',
          colour: 'chart-2',
          values: values((point) => point.p95_ms),
          whole: overview.p95_ms,
        },
      ],
      appended: [{ title: 'events', colour: 'accent', values: values((point) => point.appended) }],
      lag: [{ title: 'entries', colour: 'accent', values: values(({ lag }) => lag) }],
    };
  }, [overview]);
  const { times } = shown;
  const each = eachStep(overview.step);
  return (
    <div className="grid grid-cols-1 gap-4 md:grid-cols-2 xl:grid-cols-3">
      <div className="md:col-span-2 xl:col-span-2">
        <Chart title={`Attempts ${each}`} kind="bars" times={times} series={shown.outcomes} />
      </div>
      <Chart title="Failure rate" kind="lines" unit="%" times={times} series={shown.rate} />
      <Chart title="Response times" kind="lines" unit="ms" times={times} series={shown.answers} />
      <Chart title={`Appended ${each}`} kind="bars" times={times} series={shown.appended} />
      <Chart title="Total lag" kind="lines" times={times} series={shown.lag} />
    </div>
  );
}

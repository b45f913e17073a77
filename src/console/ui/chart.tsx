import { useEffect, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';

import { useShownTheme, useZone } from '../settings.ts';
import { chartValue, printMinute, type Zone } from '../words.ts';
import { axisLetters, axisTime, axisWidth } from './axes.ts';
import { ChartFlags } from './chartFlags.tsx';
import { markedSteps, type ChartMark, type MarkedStep } from './chartMarks.ts';

export interface Series {
  title: string;
  /** A token of styles.css: `ok`, `bad`, `accent`, `chart-2`. */
  colour: string;
  values: (number | null)[];
  /** Its value for the whole time, shown unless a time is pointed at; null: there is none. */
  whole?: number | null;
}

export interface ChartProps {
  title: string;
  /** Unix seconds, ascending. */
  times: number[];
  series: Series[];
  /** `bars` are stacked in the given order. */
  kind: 'bars' | 'lines';
  unit?: string;
  height?: number;
  /** What happened meanwhile, the oldest first: flags in the chart, words in the table. */
  marks?: readonly ChartMark[];
}

const NO_MARKS: readonly ChartMark[] = [];

/** Values over time. The chart resizes, follows the theme, and shows values under the pointer and as a table. */
export function Chart(props: ChartProps) {
  const { title, times, series, kind, unit = '', height = 150, marks = NO_MARKS } = props;
  const host = useRef<HTMLDivElement>(null);
  const [over, setOver] = useState<HTMLElement | null>(null);
  const steps = useMemo(() => markedSteps(times, marks), [times, marks]);
  const plot = useRef<uPlot | null>(null);
  const [pointed, setPointed] = useState<number | null>(null);
  const theme = useShownTheme();
  const form = useZone();
  const timeOf = (seconds: number): string => printMinute(form, seconds * 1_000, 0);
  const data = dataOf(times, series, kind);
  const latest = useRef(data);
  latest.current = data;
  const shape = JSON.stringify([kind, unit, height, series.map((one) => [one.title, one.colour])]);

  useEffect(() => {
    const place = host.current;
    if (place === null) return;
    const options = optionsOf({ series, kind, unit, height, width: place.clientWidth, form });
    options.hooks = { setCursor: [({ cursor }) => setPointed(cursor.idx ?? null)] };
    const made = new uPlot(options, latest.current, place);
    plot.current = made;
    setOver(made.over);
    const observer = new ResizeObserver(() => made.setSize({ width: place.clientWidth, height }));
    observer.observe(place);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
      setOver(null);
    };
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- `shape` says all that `series` decides here
  }, [shape, theme, form]);
  useEffect(() => plot.current?.setData(latest.current), [times, series]);

  return (
    <figure className="min-w-0">
      <figcaption className="mb-1 flex flex-wrap items-center gap-x-3 text-soft">
        <span className="font-medium text-ink">{title}</span>
        {series.map((one) => (
          <span key={one.title} className="inline-flex items-center gap-1 text-xs">
            <span
              aria-hidden
              className="size-2 rounded-xs"
              style={{ background: `var(--${one.colour})` }}
            />
            {one.title}
            {(pointed !== null || (one.whole ?? null) !== null) && (
              <span className="text-ink tabular-nums">
                {chartValue((pointed === null ? one.whole : one.values[pointed]) ?? null, unit)}
              </span>
            )}
          </span>
        ))}
        {pointed !== null && times[pointed] !== undefined && (
          <span className="text-xs">{timeOf(times[pointed]).slice(5)}</span>
        )}
      </figcaption>
      <div ref={host} aria-hidden style={{ height }} />
      {over !== null && <ChartFlags plot={over} steps={steps} />}
      <details className="text-xs">
        <summary className="text-soft">Show as table</summary>
        <div
          tabIndex={0}
          role="region"
          aria-label={`${title} as a table`}
          className="max-h-48 overflow-auto"
        >
          <table aria-label={title} className="w-full text-right tabular-nums">
            <thead>
              <tr>
                <th scope="col" className="text-left">
                  Time
                </th>
                {series.map((one) => (
                  <th key={one.title} scope="col">
                    {one.title}
                  </th>
                ))}
                {steps.length > 0 && (
                  <th scope="col" className="pl-3 text-left">
                    What happened
                  </th>
                )}
              </tr>
            </thead>
            <tbody>
              {times.map((time, index) => (
                <tr key={time}>
                  <td className="text-left">{timeOf(time)}</td>
                  {series.map((one) => (
                    <td key={one.title}>{chartValue(one.values[index] ?? null, unit)}</td>
                  ))}
                  {steps.length > 0 && (
                    <td className="foreign pl-3 text-left">{happenedIn(steps, index)}</td>
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}

function happenedIn(steps: MarkedStep[], index: number): string {
  const found = steps.find((step) => step.index === index);
  return found?.marks.map(({ text }) => text).join('; ') ?? '';
}

/** Stacks bars: each is drawn from the ground up to its own top, the tallest first. */
function dataOf(times: number[], series: Series[], kind: ChartProps['kind']): uPlot.AlignedData {
  const rows = series.map(({ values }) => values);
  if (kind === 'lines') return [times, ...rows];
  const tops = rows.map((_, at) =>
    times.map((_, index) => rows.slice(at).reduce((sum, row) => sum + (row[index] ?? 0), 0)),
  );
  return [times, ...tops];
}

function optionsOf({
  series,
  kind,
  unit,
  height,
  width,
  form,
}: Pick<ChartProps, 'series' | 'kind' | 'unit'> & {
  height: number;
  width: number;
  form: Zone;
}): uPlot.Options {
  const colour = (name: string): string =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const letters = axisLetters();
  const axis = {
    stroke: colour('soft'),
    grid: { stroke: colour('line'), width: 1 },
    ticks: { stroke: colour('line'), width: 1 },
    font: `${letters}px system-ui, sans-serif`,
  };
  const bars = uPlot.paths.bars?.({ size: [0.8, 40], align: 1 });
  return {
    width: Math.max(width, 50),
    height,
    legend: { show: false },
    tzDate: (seconds) =>
      form === 'utc'
        ? uPlot.tzDate(new Date(seconds * 1_000), 'Etc/UTC')
        : new Date(seconds * 1_000),
    cursor: { y: false, drag: { x: false, y: false } },
    padding: [Math.ceil(letters / 2) + 2, letters * 2, 0, 0],
    scales: {
      x: { time: true, range: wholeSteps },
      y: { range: (_, _low, high) => [0, Math.max(high * 1.1, 1)] },
    },
    axes: [
      {
        ...axis,
        size: Math.ceil(letters * 2.2),
        space: letters * 4.5,
        values: (_, ticks) => ticks.map((tick) => axisTime(printMinute(form, tick * 1_000, 0))),
      },
      {
        ...axis,
        size: axisWidth,
        space: letters * 2.5,
        incrs: WHOLE,
        values: (_, ticks) => ticks.map((tick) => chartValue(tick, unit ?? '')),
      },
    ],
    series: [
      {},
      ...series.map((one) => {
        const stroke = colour(one.colour);
        return kind === 'bars'
          ? {
              stroke,
              fill: stroke,
              width: 0,
              points: { show: false },
              ...(bars && { paths: bars }),
            }
          : { stroke, width: 1.5, spanGaps: false, points: { show: true, size: 4, fill: stroke } };
      }),
    ],
  };
}

/** The steps of the axis, in whole numbers: there is no half entry or half millisecond. */
const WHOLE = [1, 2, 5]
  .flatMap((digit) => Array.from({ length: 13 }, (_, zeros) => digit * 10 ** zeros))
  .toSorted((a, b) => a - b);

/** The last step is drawn to its end. */
function wholeSteps({ data }: uPlot, low: number, high: number): uPlot.Range.MinMax {
  const [first = low, second = first + 60] = data[0];
  return [low, high + second - first];
}

import { keepPreviousData, queryOptions, useQuery } from '@tanstack/react-query';
import { useRef } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import { api, type Attempt, type Metrics } from '../api.ts';
import { useInSight } from '../inSight.ts';
import { createTurns } from '../turns.ts';
import { useSentence } from '../ui/sentence.tsx';
import { Sparkline } from '../ui/sparkline.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { amount, number } from '../words.ts';

/** How old a line may get before it is read again; it spans half an hour. */
const KEPT_MS = 60_000;
/** How many rows are read concurrently: a browser has six connections, and the page needs some of them. */
const turn = createTurns(3);

/** Deliveries of the last half hour as a line; read while the row is in sight. */
export function Rate({ consumer }: { consumer: Consumer }) {
  const cell = useRef<HTMLDivElement>(null);
  const isInSight = useInSight(cell);
  const { data } = useQuery({
    ...trafficOf(consumer),
    enabled: isInSight,
    // The line of a consumer that sends nothing does not change.
    refetchInterval: isSending(consumer) ? KEPT_MS : false,
  });
  return <div ref={cell}>{data === undefined ? <None /> : <Line metrics={data} />}</div>;
}

function Line({ metrics }: { metrics: Metrics }) {
  const values = metrics.data.map(({ delivered }) => delivered);
  const sum = values.reduce((total, value) => total + value, 0);
  const failed = metrics.data.reduce((total, point) => total + point.failed, 0);
  if (sum === 0) {
    return failed === 0 ? (
      <span className="text-soft">nothing sent</span>
    ) : (
      <span className="text-bad">{number(failed)} failed</span>
    );
  }
  const label = `${amount(sum, 'delivery', 'deliveries')}, ${number(failed)} failed`;
  return (
    <span className="flex items-center gap-2">
      <Sparkline values={values} label={label} />
      <span className="text-xs text-soft tabular-nums">{number(sum)}</span>
    </span>
  );
}

/** The reason of the last failure, from the consumer's health or its last failed attempt of the half hour. */
export function LastFailure({ consumer }: { consumer: Consumer }) {
  // Only uses what `Rate` has read; this makes no request.
  const { data } = useQuery({ ...trafficOf(consumer), enabled: false });
  const failedAt = data?.data.findLast(({ failed }) => failed > 0)?.at;
  const { status, cannot_start } = consumer;
  const isFailing = status === 'blocked' || status === 'stopped' || cannot_start !== null;
  const failure = useQuery({
    queryKey: ['attempts', consumer.id, 'last-failure', failedAt],
    queryFn: ({ signal }) =>
      turn(() => api.consumers.attempts(consumer.id, { outcome: 'failed', limit: 1 }), signal),
    enabled: failedAt !== undefined && !isFailing,
    placeholderData: keepPreviousData,
    staleTime: KEPT_MS,
    retry: false,
  });
  if (isFailing) {
    return <Failing text={consumer.health.notes[0] ?? ''} at={consumer.health.time} />;
  }
  const last = failure.data?.data[0];
  if (last === undefined) return <None />;
  return (
    <span className="text-xs">
      {causeOf(last)} <TimeText at={last.started_at} />
    </span>
  );
}

function Failing({ text, at }: { text: string; at: string }) {
  const whole = useSentence(text, at);
  return (
    <span className="foreign line-clamp-2 text-xs" title={whole}>
      {whole}
    </span>
  );
}

function None() {
  return <span className="text-soft">–</span>;
}

function causeOf({ status, error_code }: Attempt): string {
  return status === null ? (error_code ?? '') : `HTTP ${status}`;
}

function isSending({ status }: Consumer): boolean {
  return status === 'active' || status === 'blocked';
}

function trafficOf({ id }: Consumer) {
  return queryOptions({
    queryKey: ['metrics', id, 'row'],
    queryFn: ({ signal }) =>
      turn(
        () => api.consumers.metrics(id, { since: '30m', step: '60' }) as Promise<Metrics>,
        signal,
      ),
    staleTime: KEPT_MS,
    retry: false,
  });
}

import { useQuery } from '@tanstack/react-query';
import type { Consumer } from '../../schema.ts';
import { api } from '../api.ts';
import type { Metrics } from '../api.ts';
import { Sparkline } from '../ui/sparkline.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { amount } from '../words.ts';

const KEPT_MS = 30_000;

/** Of a row that is in sight: deliveries of the last half hour as a line. */
export function Rate({ consumerId }: { consumerId: string }) {
  const { data } = useTraffic(consumerId);
  if (data === undefined) return <span className="text-soft">–</span>;
  const values = data.data.map(({ delivered }) => delivered);
  const sum = values.reduce((total, value) => total + value, 0);
  const failed = data.data.reduce((total, point) => total + point.failed, 0);
  if (sum + failed === 0) return <span className="text-soft">nothing sent</span>;
  const label = `${amount(sum, 'delivery', 'deliveries')}, ${failed} failed`;
  return (
    <span className="flex items-center gap-2">
      <Sparkline values={values} label={label} />
      <span className="text-xs text-soft tabular-nums">{sum.toLocaleString('en-US')}</span>
    </span>
  );
}

/** Why it last failed: in the words of its health, or its last failed attempt of the half hour. */
export function LastFailure({ consumer }: { consumer: Consumer }) {
  const { data } = useTraffic(consumer.id);
  const hasFailed = data?.data.some(({ failed }) => failed > 0) === true;
  const isFailing = consumer.status === 'blocked' || consumer.status === 'stopped';
  const failure = useQuery({
    queryKey: ['attempts', consumer.id, 'last-failure'],
    queryFn: () => api.consumers.attempts(consumer.id, { outcome: 'failed', limit: 1 }),
    enabled: hasFailed && !isFailing,
    staleTime: KEPT_MS,
    retry: false,
  });
  if (isFailing) {
    return (
      <span className="foreign line-clamp-2 text-xs" title={consumer.health.notes[0]}>
        {consumer.health.notes[0] ?? consumer.status_reason}
      </span>
    );
  }
  const last = failure.data?.data[0];
  if (last === undefined) return <span className="text-soft">–</span>;
  return (
    <span className="text-xs">
      {last.error_code ?? last.status} <TimeText at={last.started_at} />
    </span>
  );
}

function useTraffic(consumerId: string) {
  return useQuery({
    queryKey: ['metrics', consumerId, 'row'],
    queryFn: () =>
      api.consumers.metrics(consumerId, { since: '30m', step: '60' }) as Promise<Metrics>,
    staleTime: KEPT_MS,
    refetchInterval: KEPT_MS,
    retry: false,
  });
}

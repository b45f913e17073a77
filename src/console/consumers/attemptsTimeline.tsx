import { useQuery } from '@tanstack/react-query';

import type { Consumer } from '../../schema/consumer.ts';
import { api, type Attempt } from '../api.ts';
import { StatusBadge } from '../ui/statusBadge.tsx';
import { TimeText, useNow } from '../ui/timeText.tsx';
import { number } from '../words.ts';
import { newestOf, planOf } from './plan.ts';

/** Every attempt at one entry, oldest first, and the planned next one. */
export function AttemptsTimeline({ attempt, consumer }: { attempt: Attempt; consumer: Consumer }) {
  const { data } = useQuery({
    queryKey: ['attempts', consumer.id, 'of', attempt.position],
    queryFn: () => readAttempts(attempt),
    refetchInterval: 3_000,
    retry: false,
  });
  const attempts = (data ?? [attempt]).toSorted((a, b) => a.attempt - b.attempt);
  const newest = attempts.at(-1) ?? attempt;
  const next = planOf(newest, consumer, newestOf([newest]), useNow());
  return (
    <section>
      <h3 className="mb-1 font-medium">Attempts at this entry</h3>
      <ol className="flex flex-col gap-1 border-l-2 border-line pl-3">
        {attempts.map((one) => (
          <li
            key={one.id}
            aria-current={one.id === attempt.id}
            className={`flex flex-wrap items-center gap-2 rounded px-1 ${one.id === attempt.id ? 'bg-accent-soft' : ''}`}
          >
            <span className="w-6 text-right tabular-nums">{one.attempt}</span>
            <StatusBadge status={one.outcome} />
            <span>{one.status ?? one.error_code}</span>
            <TimeText at={one.started_at} />
            <span className="text-soft">{number(one.duration_ms)} ms</span>
          </li>
        ))}
        {next !== null && (
          <li className="flex items-center gap-2 rounded border border-dashed border-line-strong px-1 text-soft">
            <span className="w-6 text-right">{newest.attempt + 1}</span>
            planned <TimeText at={next} />
          </li>
        )}
      </ol>
    </section>
  );
}

const LOOKED_AT = 1_000;

/**
 * Reads the attempts at an event by its id, and those at a version among the consumer's newest attempts. They are told by
 * their position, as each batch has an id of its own.
 */
async function readAttempts(attempt: Attempt): Promise<Attempt[]> {
  const { event_id, position, consumer_id } = attempt;
  const page = await api.consumers.attempts(consumer_id, {
    ...(event_id !== null && { event_id }),
    limit: LOOKED_AT,
  });
  const found = page.data.filter((one) => one.position === position);
  return found.some(({ id }) => id === attempt.id) ? found : [...found, attempt];
}

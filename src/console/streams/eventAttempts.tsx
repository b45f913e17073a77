import type { ReactNode } from 'react';

import type { Page } from '../../api/client.ts';
import { type Attempt, api } from '../api.ts';
import { ConsumerName } from '../consumerName.tsx';
import { useList } from '../queries.ts';
import { Button } from '../ui/button.tsx';
import { Failed, Loading } from '../ui/notice.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { number } from '../words.ts';

/** The attempts of all consumers at one event, newest first. `title`: the heading, if it needs other words. */
export function EventAttempts(props: { eventId: string; title?: ReactNode }) {
  const { eventId, title = 'Attempts of all consumers' } = props;
  const list = useList(
    ['attempts', 'of-event', eventId],
    (cursor) =>
      api.request<Page<Attempt>>('GET', '/v1/attempts', {
        query: { event_id: eventId, limit: 50, cursor },
      }),
    { everyMs: 3_000 },
  );
  if (list.isLoading) return <Loading what="attempts" />;
  if (list.error !== null && list.rows.length === 0) {
    return <Failed error={list.error} again={list.again} />;
  }
  return (
    <section className="flex flex-col gap-2">
      <h3 className="font-medium">{title}</h3>
      {list.rows.length === 0 ? (
        <p className="text-soft">
          None yet. A consumer whose filter matches the event sends it when its turn comes. Attempts
          older than the retention are not kept.
        </p>
      ) : (
        <ul className="flex flex-col divide-y divide-line rounded-md border border-line">
          {list.rows.map((attempt) => (
            <li key={attempt.id} className="grid gap-x-3 gap-y-1 p-2 sm:grid-cols-[1fr_auto]">
              <ConsumerName id={attempt.consumer_id} />
              <span className="flex flex-wrap items-center gap-2 sm:justify-end">
                <StatusBadge status={attempt.outcome} />
                <span className="foreign font-mono text-xs">
                  {attempt.status ?? attempt.error_code ?? ''}
                </span>
              </span>
              <span className="text-xs text-soft">
                attempt {number(attempt.attempt)} · {number(attempt.duration_ms)} ms
                {attempt.batch_size > 1 && ` · in a batch of ${number(attempt.batch_size)}`}
                {isAhead(attempt.next_attempt_at) && (
                  <>
                    {' · next '}
                    <TimeText at={attempt.next_attempt_at} />
                  </>
                )}
              </span>
              <span className="text-xs text-soft sm:text-right">
                <TimeText at={attempt.started_at} />
              </span>
            </li>
          ))}
        </ul>
      )}
      {list.hasMore && (
        <Button busy={list.isLoadingMore} onClick={list.more}>
          Load older attempts
        </Button>
      )}
    </section>
  );
}

/** Whether a planned time is still ahead; once it is past, the attempt that followed shows when it was. */
function isAhead(at: string | null): at is string {
  return at !== null && Date.parse(at) > Date.now();
}

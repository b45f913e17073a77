import { Link } from '@tanstack/react-router';

import { api } from '../api.ts';
import { useList } from '../queries.ts';
import { Button, buttonLook } from '../ui/button.tsx';
import { Failed, Loading, Notice } from '../ui/notice.tsx';
import { Panel } from '../ui/panel.tsx';
import { amount } from '../words.ts';

const LOOK_MS = 5_000;

/** Offers the consumers that have dead letters, with how many. */
export function WithLetters() {
  const list = useList(
    ['consumers', 'with', 'dead_letters'],
    (cursor) => api.consumers.list({ has: 'dead_letters', cursor }),
    { everyMs: LOOK_MS },
  );
  if (list.isLoading) return <Loading what="consumers" />;
  if (list.error !== null) return <Failed error={list.error} again={list.again} />;
  if (list.rows.length === 0) {
    return (
      <Notice
        title="No consumer has dead letters"
        text="An entry becomes a dead letter when the endpoint refuses it for the whole retry window while it accepts others."
      >
        <Link to="/consumers" className={buttonLook()}>
          Back to consumers
        </Link>
      </Notice>
    );
  }
  return (
    <Panel title="Consumers with dead letters">
      <ul className="flex flex-col divide-y divide-line">
        {list.rows.map(({ id, name, dead_letters }) => (
          <li key={id} className="flex flex-wrap items-center justify-between gap-2 py-2">
            <Link
              to="/dead-letters"
              search={{ consumer: id }}
              className="foreign line-clamp-2 min-w-0 font-medium underline"
            >
              {name}
            </Link>
            <span className="text-soft tabular-nums">{amount(dead_letters, 'dead letter')}</span>
          </li>
        ))}
      </ul>
      {list.hasMore && (
        <Button kind="quiet" busy={list.isLoadingMore} onClick={list.more}>
          Load more
        </Button>
      )}
    </Panel>
  );
}

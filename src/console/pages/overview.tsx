import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import type { Consumer, ConsumerStatus, ConsumerWith } from '../../schema/consumer.ts';
import { AddNew } from '../addNew.tsx';
import { api } from '../api.ts';
import { sentenceOf } from '../consumers/sentence.ts';
import { FirstRun } from '../firstRun.tsx';
import { useList } from '../queries.ts';
import { Button } from '../ui/button.tsx';
import { Failed, Loading } from '../ui/notice.tsx';
import { PageHead, Panel } from '../ui/panel.tsx';
import { Sentence } from '../ui/sentence.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';
import { amount, number } from '../words.ts';

const EVERY_MS = 5_000;
const SHOWN = 20;

/** What needs an action; while there is no consumer yet, the way to the first delivery. */
export function OverviewPage() {
  const newest = useQuery({
    queryKey: ['consumers', 'newest'],
    queryFn: () => api.consumers.list({ limit: 2 }),
    refetchInterval: EVERY_MS,
  });
  const first = newest.data?.data.length === 1 ? newest.data.data[0] : undefined;
  const attempts = useQuery({
    queryKey: ['attempts', first?.id, 'first'],
    queryFn: () => api.consumers.attempts(first?.id ?? '', { limit: 1 }),
    enabled: first !== undefined,
    retry: false,
  });
  const [isGuided, setGuided] = useState(false);
  if (newest.data === undefined) {
    if (newest.error === null) return <Loading what="the consumers" />;
    return <Failed error={newest.error} again={() => void newest.refetch()} />;
  }
  const isNew =
    newest.data.data.length === 0 || (first !== undefined && attempts.data?.data.length === 0);
  if (isNew && !isGuided) setGuided(true); // it stays until the page is left, to see the end of it
  if (isGuided || isNew) return <FirstRun />;
  return (
    <>
      <PageHead title="Overview">
        <AddNew kind="consumer" />
      </PageHead>
      <Needing />
    </>
  );
}

const PARTS: { status: ConsumerStatus; title: string; none: string }[] = [
  {
    status: 'stopped',
    title: 'Stopped: they send nothing until someone resumes them',
    none: 'No consumer is stopped.',
  },
  {
    status: 'blocked',
    title: 'Blocked: their endpoint fails and is tried again',
    none: 'No consumer is blocked.',
  },
  { status: 'paused', title: 'Paused by someone', none: 'No consumer is paused.' },
];

function Needing() {
  return (
    <div className="grid grid-cols-1 items-start gap-4 lg:grid-cols-3">
      {PARTS.map((part) => (
        <Standing key={part.status} {...part} />
      ))}
      <Apart has="parked" title="Parked entries: refused alone, and retried beside the others" />
      <Apart has="dead_letters" title="Dead letters: kept until someone sends or deletes them" />
    </div>
  );
}

function Standing({ status, title, none }: (typeof PARTS)[number]) {
  const { data, error, refetch } = useQuery({
    queryKey: ['consumers', 'overview', status],
    queryFn: () => api.consumers.list({ status, limit: SHOWN }),
    refetchInterval: EVERY_MS,
  });
  return (
    <Panel title={title}>
      {data === undefined && error === null && <Loading what="consumers" />}
      {data === undefined && error !== null && (
        <Failed error={error} again={() => void refetch()} />
      )}
      {data?.data.length === 0 && (
        <p className="text-soft">
          <span aria-hidden className="text-ok">
            ✓
          </span>{' '}
          {none}
        </p>
      )}
      <ul className="flex flex-col gap-2">
        {data?.data.map((consumer) => (
          <Line key={consumer.id} consumer={consumer} />
        ))}
      </ul>
      {data !== undefined && data.next_cursor !== null && (
        <Link to="/consumers" search={{ status }} className="underline">
          All that are {status}
        </Link>
      )}
    </Panel>
  );
}

/** The consumers with entries that were put aside, and how many of them. */
function Apart({ has, title }: { has: ConsumerWith; title: string }) {
  const list = useList(
    ['consumers', 'overview', has],
    (cursor) => api.consumers.list({ has, limit: SHOWN, cursor }),
    { everyMs: EVERY_MS },
  );
  const isParked = has === 'parked';
  return (
    <Panel title={title}>
      {list.isLoading && <Loading what="consumers" />}
      {list.error !== null && <Failed error={list.error} again={list.again} />}
      {!list.isLoading && list.error === null && list.rows.length === 0 && (
        <p className="text-soft">
          <span aria-hidden className="text-ok">
            ✓
          </span>{' '}
          {isParked ? 'No entry is parked.' : 'There are no dead letters.'}
        </p>
      )}
      <ul className="flex flex-col gap-2">
        {list.rows.map(({ id, name, parked, dead_letters }) => (
          <li key={id} className="flex min-w-0 items-baseline justify-between gap-2">
            <Link
              to={isParked ? '/consumers/$id' : '/dead-letters'}
              params={{ id }}
              search={isParked ? {} : { consumer: id }}
              className="foreign truncate font-medium hover:underline"
            >
              {name}
            </Link>
            <span className="text-xs whitespace-nowrap text-soft">
              {isParked ? `${number(parked)} parked` : amount(dead_letters, 'dead letter')}
            </span>
          </li>
        ))}
      </ul>
      {list.hasMore && (
        <Button kind="quiet" busy={list.isLoadingMore} onClick={list.more}>
          Show more
        </Button>
      )}
    </Panel>
  );
}

function Line({ consumer }: { consumer: Consumer }) {
  return (
    <li className="flex min-w-0 flex-col gap-0.5">
      <span className="flex min-w-0 items-center gap-2">
        <StatusBadge status={consumer.status} />
        <Link
          to="/consumers/$id"
          params={{ id: consumer.id }}
          className="foreign truncate font-medium hover:underline"
        >
          {consumer.name}
        </Link>
      </span>
      <span className="foreign text-xs text-soft">
        <Sentence text={sentenceOf(consumer)} at={consumer.health.time} />
      </span>
    </li>
  );
}

import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import type { Consumer, ConsumerStatus } from '../../schema/consumer.ts';
import { AddNew } from '../addNew.tsx';
import { api } from '../api.ts';
import { sentenceOf } from '../consumers/sentence.ts';
import { FirstRun } from '../firstRun.tsx';
import { Failed, Loading } from '../ui/notice.tsx';
import { PageHead, Panel } from '../ui/panel.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';

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
    none: 'No endpoint fails.',
  },
  { status: 'paused', title: 'Paused by someone', none: 'No consumer is paused.' },
];

function Needing() {
  return (
    <div className="grid grid-cols-1 items-start gap-4 lg:grid-cols-3">
      {PARTS.map((part) => (
        <Standing key={part.status} {...part} />
      ))}
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
      <span className="foreign text-xs text-soft">{sentenceOf(consumer)}</span>
    </li>
  );
}

import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useState } from 'react';

import type { Consumer, ConsumerStatus, ConsumerWith } from '../../schema/consumer.ts';
import { AddNew } from '../addNew.tsx';
import { api } from '../api.ts';
import { tabWith } from '../consumers/asideTab.ts';
import { FAILURE, LAG, nameColumn, RATE, STATUS } from '../consumers/columns.tsx';
import { useList } from '../queries.ts';
import { textOf, wordOf } from '../search.ts';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { SearchBox } from '../ui/field.tsx';
import { PageHead } from '../ui/panel.tsx';

const STATUSES = ['active', 'paused', 'blocked', 'stopped'] as const;

const HAS = ['parked', 'dead_letters', 'cannot_start'] as const;
/** What those consumers are called that have it. */
const THOSE: Record<ConsumerWith, string> = {
  parked: 'with parked entries',
  dead_letters: 'with dead letters',
  cannot_start: "that can't send",
};

export interface ConsumersSearch {
  q?: string;
  status?: ConsumerStatus;
  /** The id of the target that they send to. */
  target?: string;
  has?: ConsumerWith;
}

export function consumersSearch(search: Record<string, unknown>): ConsumersSearch {
  const q = textOf(search, 'q');
  const status = wordOf(search, 'status', STATUSES);
  const target = textOf(search, 'target');
  const has = wordOf(search, 'has', HAS);
  return {
    ...(q !== undefined && { q }),
    ...(status !== undefined && { status }),
    ...(target !== undefined && { target }),
    ...(has !== undefined && { has }),
  };
}

const STREAM: Column<Consumer> = {
  id: 'stream',
  title: 'Stream',
  width: '5rem',
  isExtra: true,
  cell: ({ stream }) => stream,
};

const FURTHER = [STATUS, STREAM, LAG, RATE, FAILURE];

const TYPING_MS = 200;

/** Every consumer: its state, its lag and its deliveries. */
export function ConsumersPage() {
  const search: ConsumersSearch = useSearch({ from: '/inside/consumers' });
  const navigate = useNavigate();
  const [text, setText] = useState(search.q ?? '');
  useEffect(() => setText(search.q ?? ''), [search.q]);
  useEffect(() => {
    if (text === (search.q ?? '')) return;
    const timer = setTimeout(
      () => void navigate({ to: '/consumers', search: { ...search, q: text }, replace: true }),
      TYPING_MS,
    );
    return () => clearTimeout(timer);
  }, [text, search, navigate]);
  const list = useList(
    ['consumers', search],
    (cursor) => {
      const { target, ...others } = search;
      return api.consumers.list({
        ...others,
        ...(target !== undefined && { target_id: target }),
        cursor,
      });
    },
    { everyMs: 3_000 },
  );
  const clear = (): void => void navigate({ to: '/consumers', search: {} });
  const tab = tabWith(search.has);
  return (
    <>
      <PageHead title="Consumers">
        <AddNew kind="consumer" />
      </PageHead>
      <div className="flex flex-wrap items-center gap-2">
        <SearchBox label="Search names, ids and targets" value={text} onChange={setText} />
        <StatusFilter chosen={search.status} search={search} />
        <OnlyThose search={search} />
        <AlsoOnly search={search} />
      </div>
      <DataTable
        what="consumers"
        columns={[nameColumn(tab), ...FURTHER]}
        list={list}
        rowKey={({ id }) => id}
        rowHref={({ id }) => `/consumers/${id}${tab === undefined ? '' : `?tab=${tab}`}`}
        isFiltered={Object.keys(search).length > 0}
        onClearFilters={clear}
        empty={{
          title: 'No consumer yet',
          text: 'A consumer sends the entries that match its filter to a target, as soon as it is saved.',
          action: <AddNew kind="consumer" />,
        }}
      />
    </>
  );
}

function StatusFilter(props: { chosen: ConsumerStatus | undefined; search: ConsumersSearch }) {
  const { chosen, search } = props;
  const { status: _status, ...others } = search;
  return (
    <nav aria-label="Status" className="flex flex-wrap gap-1">
      {[undefined, ...STATUSES].map((status) => (
        <Link
          key={status ?? 'all'}
          to="/consumers"
          search={status === undefined ? others : { ...others, status }}
          aria-current={status === chosen ? 'true' : undefined}
          className={`min-h-8 rounded-md border px-2 py-1 font-medium ${status === chosen ? 'border-accent bg-accent-soft text-accent' : 'border-line bg-panel text-soft hover:bg-sunk'}`}
        >
          {status ?? 'all'}
        </Link>
      ))}
    </nav>
  );
}

/** The other filters of the list, each with a way to remove it. */
function OnlyThose({ search }: { search: ConsumersSearch }) {
  const { target: targetId, has, ...others } = search;
  const target = useQuery({
    queryKey: ['target', targetId],
    queryFn: () => api.targets.get(targetId ?? ''),
    enabled: targetId !== undefined,
  });
  return (
    <>
      {targetId !== undefined && (
        <Only
          what={`of ${target.data?.name ?? 'the target'}`}
          without={{ ...others, ...(has !== undefined && { has }) }}
        />
      )}
      {has !== undefined && (
        <Only
          what={THOSE[has]}
          without={{ ...others, ...(targetId !== undefined && { target: targetId }) }}
        />
      )}
    </>
  );
}

/** The further filters that the list offers. */
function AlsoOnly({ search }: { search: ConsumersSearch }) {
  if (search.has !== undefined) return null;
  return (
    <nav aria-label="Filters" className="flex flex-wrap gap-1">
      {HAS.map((has) => (
        <Link
          key={has}
          to="/consumers"
          search={{ ...search, has }}
          className="min-h-8 rounded-md border border-line bg-panel px-2 py-1 font-medium text-soft hover:bg-sunk"
        >
          {THOSE[has]}
        </Link>
      ))}
    </nav>
  );
}

function Only({ what, without }: { what: string; without: ConsumersSearch }) {
  return (
    <Link
      to="/consumers"
      search={without}
      aria-label={`Clear the filter: ${what}`}
      className="foreign min-h-8 rounded-md border border-accent bg-accent-soft px-2 py-1 font-medium text-accent"
    >
      {what} <span aria-hidden>✕</span>
    </Link>
  );
}

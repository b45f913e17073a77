import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';

import type { ConsumersQuery } from '../../api/client.ts';
import type { Consumer, ConsumerStatus, ConsumerWith } from '../../schema/consumer.ts';
import { AddNew } from '../addNew.tsx';
import { api } from '../api.ts';
import { tabWith } from '../consumers/asideTab.ts';
import { FAILURE, LAG, nameColumn, RATE, STATUS } from '../consumers/columns.tsx';
import { MEANINGS } from '../consumers/meanings.ts';
import { SelectionActs, useSelection } from '../consumers/selection.tsx';
import { everyConsumer } from '../overview/everyOne.ts';
import { useList } from '../queries.ts';
import { textOf, wordOf } from '../search.ts';
import { TargetChoice } from '../targetChoice.tsx';
import { useTyped } from '../typed.ts';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { SearchBox, SelectField } from '../ui/field.tsx';
import { PageHead } from '../ui/panel.tsx';
import { amount, number } from '../words.ts';

const STATUSES = ['active', 'paused', 'blocked', 'stopped'] as const;

const HAS = ['parked', 'dead_letters', 'cannot_start'] as const;
/** What those consumers are called that have it. */
const THOSE: Record<ConsumerWith, string> = {
  parked: 'with parked entries',
  dead_letters: 'with dead letters',
  cannot_start: "that can't send",
};

/** What is easily taken for something else. */
const ABOUT: Partial<Record<ConsumerWith, string>> = {
  cannot_start:
    'A fault of Millrace or of the settings keeps them from sending. Consumers whose endpoints fail are blocked or stopped.',
};

const SORTS = ['lag', 'failed'] as const;

export interface ConsumersSearch {
  q?: string;
  status?: ConsumerStatus;
  /** The id of the target that they send to. */
  target?: string;
  has?: ConsumerWith;
  /** Newest first unless given. */
  sort?: (typeof SORTS)[number];
}

export function consumersSearch(search: Record<string, unknown>): ConsumersSearch {
  const q = textOf(search, 'q');
  const status = wordOf(search, 'status', STATUSES);
  const target = textOf(search, 'target');
  const has = wordOf(search, 'has', HAS);
  const sort = wordOf(search, 'sort', SORTS);
  return {
    ...(q !== undefined && { q }),
    ...(status !== undefined && { status }),
    ...(target !== undefined && { target }),
    ...(has !== undefined && { has }),
    ...(sort !== undefined && { sort }),
  };
}

const STREAM: Column<Consumer> = {
  id: 'stream',
  title: 'Stream',
  width: '5rem',
  isExtra: true,
  cell: ({ stream }) => stream,
};

const TARGET: Column<Consumer> = {
  id: 'target',
  title: 'Target',
  width: 'minmax(0,2fr)',
  isExtra: true,
  cell: ({ target_id: id, target_name: name }) => (
    <Link
      to="/targets/$id"
      params={{ id }}
      className="foreign block truncate text-soft hover:underline"
    >
      {name || id}
    </Link>
  ),
};

const FURTHER = [TARGET, STATUS, STREAM, LAG, RATE, FAILURE];

const EVERY_MS = 3_000;
/** By rank they are read less often: the figures are those of a minute. */
const RANKED_EVERY_MS = 15_000;
const TOTAL_EVERY_MS = 10_000;

/** Every consumer: its target, its state, its lag and its deliveries; several can be given a command together. */
export function ConsumersPage() {
  const search: ConsumersSearch = useSearch({ from: '/inside/consumers' });
  const navigate = useNavigate();
  const set = (change: Record<string, string | undefined>): void =>
    void navigate({
      to: '/consumers',
      search: (before) => consumersSearch({ ...before, ...change }),
      replace: true,
    });
  const [text, setText] = useTyped(search.q ?? '', (q) => set({ q }));
  const { sort, ...filters } = search;
  const read = useList(
    ['consumers', search],
    (cursor) => api.consumers.list({ ...askedOf(search), cursor }),
    { everyMs: sort === undefined ? EVERY_MS : RANKED_EVERY_MS },
  );
  const list = { ...read, rows: eachOnce(read.rows) };
  const selection = useSelection(list.rows, JSON.stringify(filters));
  const isFiltered = Object.keys(filters).length > 0;
  const tab = tabWith(search.has);
  return (
    <>
      <PageHead title="Consumers" below={<Total filters={filters} />}>
        <AddNew kind="consumer" />
      </PageHead>
      <div className="flex flex-wrap items-center gap-2">
        <SearchBox label="Search names, ids and targets" value={text} onChange={setText} />
        <StatusFilter chosen={search.status} search={search} />
        <OnlyThose search={search} />
        <AlsoOnly search={search} />
      </div>
      <div className="grid grid-cols-2 gap-2 sm:max-w-xl">
        {search.target === undefined && (
          <TargetChoice placeholder="All targets" onPick={(target) => set({ target })} />
        )}
        <SelectField
          label="Order"
          value={sort ?? 'newest'}
          onChange={(order) => set({ sort: order })}
          options={ORDERS}
        />
      </div>
      <SelectionActs
        selection={selection}
        listed={list.rows.length}
        hasMore={list.hasMore}
        every={() => everyConsumer(askedOf(filters))}
      />
      <DataTable
        what="consumers"
        columns={[selection.column, nameColumn(tab), ...FURTHER]}
        list={list}
        rowKey={({ id }) => id}
        rowHref={({ id }) => `/consumers/${id}${tab === undefined ? '' : `?tab=${tab}`}`}
        isFiltered={isFiltered}
        onClearFilters={() => void navigate({ to: '/consumers', search: {} })}
        empty={{
          title: 'No consumer yet',
          text: 'A consumer sends the entries that match its filter to a target, as soon as it is saved.',
          action: <AddNew kind="consumer" />,
        }}
      />
    </>
  );
}

const ORDERS = [
  { value: 'newest', text: 'Newest first' },
  { value: 'lag', text: 'Most waiting first' },
  { value: 'failed', text: 'Most failed attempts first' },
] as const;

/** The list as the API is asked for it. */
function askedOf({ target, ...others }: ConsumersSearch): ConsumersQuery {
  return { ...others, ...(target !== undefined && { target_id: target }) };
}

/** By rank, a consumer may move from one page to the next while they are read. */
function eachOnce(rows: Consumer[]): Consumer[] {
  return [...new Map(rows.map((row) => [row.id, row])).values()];
}

/** How many consumers there are, or match, and what they have in common. */
function Total({ filters }: { filters: ConsumersSearch }) {
  const { data } = useQuery({
    queryKey: ['consumers', 'total', filters],
    queryFn: () => api.consumers.list({ ...askedOf(filters), limit: 1, include: 'total' }),
    refetchInterval: TOTAL_EVERY_MS,
    placeholderData: keepPreviousData,
  });
  const total = data?.total;
  const isFiltered = Object.keys(filters).length > 0;
  const { status, has } = filters;
  return (
    <>
      <p className="text-soft tabular-nums">
        {total === undefined ? '…' : amount(total, 'consumer')}
        {isFiltered && total !== undefined && (total === 1 ? ' matches' : ' match')}
      </p>
      {[status, has].map(
        (one) =>
          one !== undefined && (
            <p key={one} className="text-soft">
              {MEANINGS[one]}
            </p>
          ),
      )}
    </>
  );
}

function StatusFilter(props: { chosen: ConsumerStatus | undefined; search: ConsumersSearch }) {
  const { chosen, search } = props;
  const { status: _status, ...others } = search;
  const isOfAll = Object.keys(others).every((name) => name === 'sort');
  const figures = useQuery({
    queryKey: ['status'],
    queryFn: api.status,
    refetchInterval: TOTAL_EVERY_MS,
    enabled: isOfAll,
  });
  const counts = isOfAll ? figures.data?.figures?.consumers : undefined;
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
          {counts !== undefined && (status === 'blocked' || status === 'stopped') && (
            <span className="tabular-nums"> {number(counts[status])}</span>
          )}
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
          title={ABOUT[has]}
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

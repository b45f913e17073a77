import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useCallback, useState } from 'react';

import type { Consumer, Filter } from '../../schema/consumer.ts';
import { api, isGone } from '../api.ts';
import { ChangesList } from '../consumers/changesList.tsx';
import { Charts } from '../consumers/charts.tsx';
import { CommandBar } from '../consumers/commandBar.tsx';
import { Deliveries } from '../consumers/deliveries.tsx';
import { isSameFilter } from '../consumers/filterDelta.ts';
import { FilterPanel } from '../consumers/filterPanel.tsx';
import { Numbers } from '../consumers/numbers.tsx';
import { furtherNotes, sentenceOf } from '../consumers/sentence.ts';
import { ConsumerSettings, type SettingsDraft } from '../consumers/settings.tsx';
import { useNarrow } from '../narrow.ts';
import { useOpened } from '../opened.ts';
import { RANGE_NAMES, type Range } from '../ranges.ts';
import { textOf, wordOf } from '../search.ts';
import { buttonLook } from '../ui/button.tsx';
import { Failed, Hint, Loading } from '../ui/notice.tsx';
import { PageHead } from '../ui/panel.tsx';
import { Sentence } from '../ui/sentence.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';
import { Tabs } from '../ui/tabs.tsx';

const TABS = ['deliveries', 'filter', 'settings', 'changes'] as const;

export interface ConsumerSearch {
  tab?: (typeof TABS)[number];
  range?: Range;
  outcome?: string;
  status?: string;
  delivery?: string;
}

export function consumerSearch(search: Record<string, unknown>): ConsumerSearch {
  const found = {
    tab: wordOf(search, 'tab', TABS),
    range: wordOf(search, 'range', RANGE_NAMES),
    outcome: wordOf(search, 'outcome', ['delivered', 'failed']),
    status: textOf(search, 'status'),
    delivery: textOf(search, 'delivery'),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

/** One consumer: its state, its deliveries and its commands. */
export function ConsumerPage() {
  const { id } = useParams({ from: '/inside/consumers/$id' });
  const query = useQuery({
    queryKey: ['consumer', id],
    queryFn: () => api.consumers.get(id),
    refetchInterval: 2_000,
  });
  if (query.data === undefined || isGone(query.error)) {
    if (query.error === null) return <Loading what="the consumer" />;
    return (
      <Failed error={query.error} again={() => void query.refetch()}>
        <Link to="/consumers" className={buttonLook()}>
          To the consumers
        </Link>
      </Failed>
    );
  }
  return <Loaded key={id} consumer={query.data} />;
}

function Loaded({ consumer }: { consumer: Consumer }) {
  const search: ConsumerSearch = useSearch({ from: '/inside/consumers/$id' });
  const navigate = useNavigate();
  const { id } = consumer;
  // Kept here, so that a look at another part of the page loses nothing.
  const [filter, setFilter] = useState<Filter | null>(null);
  const [settings, setSettings] = useState<Partial<SettingsDraft>>({});
  const set = useCallback(
    (change: Record<string, string | undefined>, replace = true) =>
      void navigate({
        to: '/consumers/$id',
        params: { id },
        search: (before) => consumerSearch({ ...before, ...change }),
        replace,
        resetScroll: false,
      }),
    [navigate, id],
  );
  const onOpen = useOpened((delivery, replace) => set({ delivery }, replace));
  const isNarrow = useNarrow();
  const charts = (
    <Charts consumer={consumer} range={search.range ?? '1h'} onRange={(range) => set({ range })} />
  );
  return (
    <>
      <PageHead
        name={consumer.name}
        title={
          <span className="flex flex-wrap items-center gap-x-2">
            <span className="line-clamp-3">{consumer.name}</span>{' '}
            <StatusBadge status={consumer.status} />
          </span>
        }
        below={
          <p data-sentence className="foreign mt-0.5">
            <Sentence text={sentenceOf(consumer)} at={consumer.health.time} />
          </p>
        }
      >
        <CommandBar consumer={consumer} />
      </PageHead>
      {furtherNotes(consumer).map((note) => (
        <Hint key={note} tone={consumer.health.status === 'error' ? 'bad' : 'warn'}>
          <Sentence text={note} at={consumer.health.time} />
        </Hint>
      ))}
      {!isNarrow && <Numbers consumer={consumer} />}
      <Tabs
        label="Parts of the consumer"
        chosen={search.tab ?? 'deliveries'}
        onChoose={(tab) => set({ tab, delivery: undefined })}
        tabs={[
          {
            id: 'deliveries',
            title: 'Deliveries',
            content: (
              <>
                {!isNarrow && charts}
                <Deliveries
                  consumer={consumer}
                  filter={{
                    ...(search.outcome !== undefined && { outcome: search.outcome }),
                    ...(search.status !== undefined && { status: search.status }),
                  }}
                  onFilter={({ outcome, status }) => set({ outcome, status })}
                  opened={search.delivery}
                  onOpen={onOpen}
                />
                {isNarrow && charts}
              </>
            ),
          },
          {
            id: 'filter',
            title: filter === null || isSameFilter(consumer, filter) ? 'Filter' : 'Filter, unsaved',
            content: <FilterPanel consumer={consumer} draft={filter} onEdit={setFilter} />,
          },
          {
            id: 'settings',
            title: Object.keys(settings).length === 0 ? 'Settings' : 'Settings, unsaved',
            content: <ConsumerSettings consumer={consumer} edits={settings} onEdit={setSettings} />,
          },
          { id: 'changes', title: 'Changes', content: <ChangesList consumerId={id} /> },
        ]}
      />
      {isNarrow && <Numbers consumer={consumer} />}
    </>
  );
}

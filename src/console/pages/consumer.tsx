import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useCallback } from 'react';
import type { ReactNode } from 'react';
import type { Consumer } from '../../schema.ts';
import { api } from '../api.ts';
import { useCatchUp } from '../consumers/catchUp.ts';
import { ChangesList } from '../consumers/changesList.tsx';
import { Charts, RANGE_NAMES } from '../consumers/charts.tsx';
import type { Range } from '../consumers/charts.tsx';
import { CommandBar } from '../consumers/commandBar.tsx';
import { ConsumerSettings } from '../consumers/settings.tsx';
import { Deliveries } from '../consumers/deliveries.tsx';
import { FilterPanel } from '../consumers/filterPanel.tsx';
import { furtherNotes, sentenceOf } from '../consumers/sentence.ts';
import { workflowUrl } from '../consumers/workflowUrl.ts';
import { useInfo } from '../info.ts';
import { textOf, wordOf } from '../search.ts';
import { Failed, Hint, Loading } from '../ui/notice.tsx';
import { PageHead } from '../ui/panel.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';
import { Tabs } from '../ui/tabs.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { duration, number } from '../words.ts';

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

/** One consumer: how it is, what it does, what it is told. */
export function ConsumerPage() {
  const { id } = useParams({ from: '/inside/consumers/$id' });
  const query = useQuery({
    queryKey: ['consumer', id],
    queryFn: () => api.consumers.get(id),
    refetchInterval: 2_000,
  });
  if (query.data === undefined) {
    if (query.error === null) return <Loading what="the consumer" />;
    return <Failed error={query.error} again={() => void query.refetch()} />;
  }
  return <Loaded key={id} consumer={query.data} />;
}

function Loaded({ consumer }: { consumer: Consumer }) {
  const search: ConsumerSearch = useSearch({ from: '/inside/consumers/$id' });
  const navigate = useNavigate();
  const { id } = consumer;
  const set = useCallback(
    (change: Record<string, string | undefined>) =>
      void navigate({
        to: '/consumers/$id',
        params: { id },
        search: (before) => consumerSearch({ ...before, ...change }),
        replace: true,
        resetScroll: false,
      }),
    [navigate, id],
  );
  const onOpen = useCallback((delivery: string | undefined) => set({ delivery }), [set]);
  return (
    <>
      <PageHead
        name={consumer.name}
        title={
          <span className="flex flex-wrap items-center gap-2">
            {consumer.name} <StatusBadge status={consumer.status} />
          </span>
        }
        below={
          <p data-sentence className="foreign mt-0.5">
            {sentenceOf(consumer)}
          </p>
        }
      >
        <CommandBar consumer={consumer} />
      </PageHead>
      {furtherNotes(consumer).map((note) => (
        <Hint key={note} tone={consumer.health.status === 'error' ? 'bad' : 'warn'}>
          {note}
        </Hint>
      ))}
      <Numbers consumer={consumer} />
      <Charts consumerId={id} range={search.range ?? '1h'} onRange={(range) => set({ range })} />
      <Tabs
        label="Parts of the consumer"
        chosen={search.tab ?? 'deliveries'}
        onChoose={(tab) => set({ tab, delivery: undefined })}
        tabs={[
          {
            id: 'deliveries',
            title: 'Deliveries',
            content: (
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
            ),
          },
          { id: 'filter', title: 'Filter', content: <FilterPanel consumer={consumer} /> },
          { id: 'settings', title: 'Settings', content: <ConsumerSettings consumer={consumer} /> },
          { id: 'changes', title: 'Changes', content: <ChangesList consumerId={id} /> },
        ]}
      />
    </>
  );
}

function Numbers({ consumer }: { consumer: Consumer }) {
  const { lag, position, parked, next_attempt_at, failing_since } = consumer;
  const { data: info } = useInfo();
  const eta = useCatchUp(consumer);
  const target = useQuery({
    queryKey: ['target', consumer.target_id],
    queryFn: () => api.targets.get(consumer.target_id),
  });
  const temporal = workflowUrl(info, consumer);
  return (
    <dl className="grid grid-cols-2 gap-px overflow-hidden rounded-lg border border-line bg-line sm:grid-cols-3 lg:grid-cols-6">
      <Figure
        title="Position"
        value={number(position)}
        about={`in the ${consumer.stream} stream`}
      />
      <Figure
        title="Lag"
        value={number(lag.entries)}
        about={
          lag.entries === 0 ? 'caught up' : [duration(lag.seconds), eta].filter(Boolean).join(', ')
        }
      />
      <Figure title="Parked" value={number(parked)} about="waiting for a retry" />
      <Figure
        title="Next attempt"
        value={<TimeText at={next_attempt_at} />}
        about={
          failing_since === null ? (
            'not failing'
          ) : (
            <>
              failing since <TimeText at={failing_since} />
            </>
          )
        }
      />
      <Figure
        title="Target"
        value={
          <Link to="/targets/$id" params={{ id: consumer.target_id }} className="hover:underline">
            {target.data?.name ?? '…'}
          </Link>
        }
        about={target.data?.base_url}
      />
      <Figure
        title="Workflow"
        value={
          temporal === null ? (
            consumer.region
          ) : (
            <a href={temporal} target="_blank" rel="noreferrer" className="underline">
              in Temporal
            </a>
          )
        }
        about={consumer.workflow_id}
      />
    </dl>
  );
}

function Figure(props: { title: string; value: ReactNode; about: ReactNode }) {
  return (
    <div className="min-w-0 bg-panel px-3 py-2">
      <dt className="text-xs text-soft">{props.title}</dt>
      <dd className="foreign truncate text-base font-semibold tabular-nums">{props.value}</dd>
      <dd className="foreign truncate text-xs text-soft">{props.about}</dd>
    </div>
  );
}

import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useCallback, useMemo, useState } from 'react';

import type { Consumer, Filter } from '../../schema/consumer.ts';
import { api, isGone } from '../api.ts';
import { filterIn } from '../consumers/attemptFilter.ts';
import { ChangesList } from '../consumers/changesList.tsx';
import { Charts } from '../consumers/charts.tsx';
import { CommandBar } from '../consumers/commandBar.tsx';
import { Deliveries } from '../consumers/deliveries.tsx';
import { isSameFilter } from '../consumers/filterDelta.ts';
import { marksOf } from '../consumers/marks.ts';
import { MendLink } from '../consumers/mendLink.tsx';
import { NoteList } from '../consumers/noteList.tsx';
import { Numbers } from '../consumers/numbers.tsx';
import { ParkedList } from '../consumers/parkedList.tsx';
import { furtherNotes, sentenceOf } from '../consumers/sentence.ts';
import type { SettingsDraft } from '../consumers/settingsDraft.ts';
import { stateOf } from '../consumers/state.ts';
import { StateBand } from '../consumers/stateBand.tsx';
import { useCommands } from '../consumers/useCommands.tsx';
import { useHistory } from '../consumers/useHistory.ts';
import { useUnsent } from '../consumers/useUnsent.ts';
import { useUrl } from '../consumers/useUrl.ts';
import { LetterList } from '../deadLetters/letterList.tsx';
import { useIsBeingDeleted } from '../deletion.ts';
import { useInfo } from '../info.ts';
import { late } from '../late.tsx';
import { consumerSearch, type ConsumerSearch } from '../latePages.ts';
import { useNarrow } from '../narrow.ts';
import { useOpened } from '../opened.ts';
import { rangeSince } from '../ranges.ts';
import { buttonLook } from '../ui/button.tsx';
import { Failed, Loading } from '../ui/notice.tsx';
import { PageHead } from '../ui/panel.tsx';
import { Sentence } from '../ui/sentence.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';
import { Tabs } from '../ui/tabs.tsx';
import { number } from '../words.ts';

const FilterPanel = late(
  'the filter',
  async () => (await import('../consumers/filterPanel.tsx')).FilterPanel,
);
const ConsumerSettings = late(
  'the settings',
  async () => (await import('../consumers/settings.tsx')).ConsumerSettings,
);

/** One consumer: its state, its deliveries and its commands. */
export function ConsumerPage() {
  const { id } = useParams({ from: '/inside/consumers/$id' });
  const isBeingDeleted = useIsBeingDeleted(id);
  const query = useQuery({
    queryKey: ['consumer', id],
    queryFn: () => api.consumers.get(id),
    refetchInterval: 2_000,
    enabled: !isBeingDeleted,
  });
  if (query.data === undefined || isGone(query.error)) {
    if (query.error === null) return <Loading what="the consumer" />;
    return (
      <Failed error={query.error} again={() => void query.refetch()}>
        <Link to="/consumers" className={buttonLook()}>
          Back to consumers
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
  // Kept here, so that visiting another tab of the page loses nothing.
  const [filter, setFilter] = useState<Filter | null>(null);
  const [settings, setSettings] = useState<Partial<SettingsDraft>>({});
  const set = useCallback(
    (change: Change, replace = true) =>
      void navigate({
        to: '/consumers/$id',
        params: { id },
        search: (before) => consumerSearch({ ...before, ...change }),
        replace,
        resetScroll: false,
      }),
    [navigate, id],
  );
  const { data: info } = useInfo();
  const history = useHistory(id, `${consumer.status} ${consumer.updated_at}`);
  const { changes, alerts } = history;
  const marks = useMemo(() => marksOf(changes, alerts), [changes, alerts]);
  const url = useUrl(consumer);
  const state = stateOf(consumer, { url, retryWindow: info?.retry_window, ...history });
  const commands = useCommands(consumer);
  const isNarrow = useNarrow();
  const isUnsent = useUnsent(consumer);
  // As it was when the page was opened: a recovery must not take what is shown away.
  const [range] = useState(() => rangeSince(consumer.failing_since, Date.now()));
  const charts = (
    <Charts
      consumer={consumer}
      range={search.range ?? range}
      onRange={(range) => set({ range })}
      marks={marks}
    />
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
          state === null && (
            <p data-sentence className="foreign mt-0.5">
              <Sentence text={sentenceOf(consumer, isUnsent)} at={consumer.health.time} />
            </p>
          )
        }
      >
        <CommandBar consumer={consumer} commands={commands} without={state?.verb ?? null} />
      </PageHead>
      {state !== null && (
        <StateBand state={state} at={consumer.health.time} onAct={commands.ask}>
          {consumer.cannot_start !== null && (
            <MendLink
              code={consumer.cannot_start.code}
              targetId={consumer.target_id}
              consumerId={id}
            />
          )}
        </StateBand>
      )}
      <NoteList consumerId={id} notes={furtherNotes(consumer)} at={consumer.health.time} />
      {!isNarrow && <Numbers consumer={consumer} />}
      <Tabs
        label="Parts of the consumer"
        chosen={search.tab ?? 'deliveries'}
        onChoose={(tab) => set({ tab, delivery: undefined, letter: undefined })}
        tabs={[
          {
            id: 'deliveries',
            title: 'Deliveries',
            content: (
              <>
                {!isNarrow && charts}
                <DeliveriesTab consumer={consumer} search={search} set={set} />
                {isNarrow && charts}
              </>
            ),
          },
          {
            id: 'parked',
            title: counted('Parked', consumer.parked),
            content: <ParkedList consumer={consumer} commands={commands} />,
          },
          {
            id: 'dead-letters',
            title: counted('Dead letters', consumer.dead_letters),
            content: <LettersTab consumer={consumer} search={search} set={set} />,
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
      {commands.dialogs}
    </>
  );
}

type Change = { [name in keyof ConsumerSearch]?: ConsumerSearch[name] | undefined };

interface TabProps {
  consumer: Consumer;
  search: ConsumerSearch;
  /** Changes the address. */
  set: (change: Change, replace?: boolean) => void;
}

function DeliveriesTab({ consumer, search, set }: TabProps) {
  const onOpen = useOpened((delivery, replace) => set({ delivery }, replace));
  return (
    <Deliveries
      consumer={consumer}
      filter={filterIn(search)}
      onFilter={(change) => set(change)}
      opened={search.delivery}
      onOpen={onOpen}
    />
  );
}

function LettersTab({ consumer, search, set }: TabProps) {
  const { code, answer, record, letter } = search;
  return (
    <LetterList
      consumer={consumer}
      search={{ code, status: answer, record, letter }}
      onSearch={(change, replace) => {
        const { status, ...others } = change;
        set({ ...others, ...('status' in change && { answer: status }) }, replace);
      }}
    />
  );
}

function counted(name: string, count: number): string {
  return count === 0 ? name : `${name} (${number(count)})`;
}

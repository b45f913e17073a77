import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useState } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import { ActButton } from '../act.tsx';
import { api } from '../api.ts';
import { ConsumerChoice, useConsumer } from '../consumerChoice.tsx';
import { ActDialog, type Act } from '../deadLetters/acts.tsx';
import { LetterDrawer } from '../deadLetters/drawer.tsx';
import { isOf } from '../deadLetters/failure.ts';
import { Groups } from '../deadLetters/groups.tsx';
import { Lately } from '../deadLetters/lately.tsx';
import { LetterTable } from '../deadLetters/table.tsx';
import { useOpened } from '../opened.ts';
import { useList } from '../queries.ts';
import { textOf } from '../search.ts';
import { useSettled } from '../settled.ts';
import { Button } from '../ui/button.tsx';
import { SearchBox } from '../ui/field.tsx';
import { Failed, Loading } from '../ui/notice.tsx';
import { PageHead } from '../ui/panel.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';
import { amount } from '../words.ts';

const NAMES = ['consumer', 'code', 'status', 'record', 'letter'] as const;
type Search = Partial<Record<(typeof NAMES)[number], string | undefined>>;

export function deadLettersSearch(search: Record<string, unknown>): Search {
  return Object.fromEntries(NAMES.map((name) => [name, textOf(search, name)]));
}

/** What died, of one consumer: by failure and record, opened, sent again, deleted. */
export function DeadLettersPage() {
  const { consumer: id = '' } = useSearch({ from: '/inside/dead-letters' });
  const navigate = useNavigate();
  const consumer = useConsumer(id);
  return (
    <>
      <PageHead
        title="Dead letters"
        below={
          <p className="text-soft">
            Entries that failed by themselves for the whole retry window. They are kept, with their
            bodies, until you send them again or delete them.
          </p>
        }
      />
      <div className="flex flex-wrap items-end gap-3">
        <div className="w-full sm:w-96">
          <ConsumerChoice
            value={id}
            placeholder="Choose a consumer"
            onPick={(next) => void navigate({ to: '/dead-letters', search: { consumer: next } })}
          />
        </div>
        {consumer.data !== undefined && (
          <span className="flex min-h-8 items-center gap-2">
            <StatusBadge status={consumer.data.status} />
            <Link to="/consumers/$id" params={{ id }} className="underline">
              To the consumer
            </Link>
          </span>
        )}
      </div>
      {id === '' && <Lately />}
      {id !== '' && consumer.error !== null && consumer.data === undefined && (
        <Failed error={consumer.error} again={() => void consumer.refetch()} />
      )}
      {id !== '' && consumer.isPending && <Loading what="the consumer" />}
      {consumer.data !== undefined && <Letters key={id} consumer={consumer.data} />}
    </>
  );
}

function Letters({ consumer }: { consumer: Consumer }) {
  const search = useSearch({ from: '/inside/dead-letters' });
  const navigate = useNavigate();
  const { id } = consumer;
  const { code, status, record, letter } = search;
  const set = (change: Search, replace = true): void =>
    void navigate({ to: '/dead-letters', search: { ...search, ...change }, replace });
  const open = useOpened((one, replace) => set({ letter: one }, replace));
  const [text, setText] = useState(record ?? '');
  const settled = useSettled(text.trim());
  useEffect(() => {
    if (settled !== (record ?? '')) set({ record: settled });
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- only what was typed moves the address
  }, [settled]);

  const groups = useQuery({
    queryKey: ['dead-letters', id, 'groups'],
    queryFn: () => api.deadLetters.groups(id),
    refetchInterval: 5_000,
  });
  const list = useList(
    ['dead-letters', id, 'list', code, status, record],
    async (cursor) => {
      const page = await api.deadLetters.list(id, {
        limit: 100,
        cursor,
        code,
        upstream_id: record,
      });
      return { ...page, data: page.data.filter((one) => isOf(one, status)) };
    },
    { everyMs: 5_000 },
  );
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [act, setAct] = useState<Act | null>(null);
  const all = (groups.data?.data ?? []).reduce((sum, { count }) => sum + count, 0);
  const kept = list.rows.filter((one) => chosen.has(one.id)).map((one) => one.id);
  const isFiltered = code !== undefined || record !== undefined;
  const clear = (): void => {
    setText('');
    setChosen(new Set());
    set({ code: undefined, status: undefined, record: undefined });
  };

  return (
    <>
      {groups.data !== undefined && all > 0 && (
        <Groups
          groups={groups.data.data}
          chosen={{ code, status }}
          onChoose={(group) => {
            setChosen(new Set());
            set({ code: group?.code, status: group?.status });
          }}
        />
      )}
      <div className="flex flex-wrap items-center gap-2">
        <SearchBox label="Record, its exact id" value={text} onChange={setText} />
        {list.rows.length > 0 && (
          <Button
            onClick={() =>
              setChosen(new Set(kept.length > 0 ? [] : list.rows.map((one) => one.id)))
            }
          >
            {kept.length > 0
              ? 'Choose none'
              : `Choose the ${amount(list.rows.length, 'row')} shown`}
          </Button>
        )}
        <span className="sm:ml-auto" />
        {kept.length > 0 ? (
          <>
            <ActButton
              needs="manage"
              kind="main"
              onClick={() => setAct({ kind: 'replay', ids: kept, count: kept.length })}
            >
              Send {amount(kept.length, 'chosen one')} again…
            </ActButton>
            <ActButton
              needs="manage"
              kind="danger"
              onClick={() => setAct({ kind: 'delete', ids: kept, count: kept.length })}
            >
              Delete {amount(kept.length, 'chosen one')}…
            </ActButton>
          </>
        ) : (
          all > 0 && (
            <ActButton
              needs="manage"
              kind="main"
              onClick={() => setAct({ kind: 'replay', ids: null, count: all })}
            >
              Send all {amount(all, 'dead letter')} again…
            </ActButton>
          )
        )}
      </div>
      <LetterTable
        list={list}
        chosen={chosen}
        onChoose={setChosen}
        onOpen={open}
        isFiltered={isFiltered}
        onClearFilters={clear}
      />
      {letter !== undefined && (
        <LetterDrawer
          consumer={id}
          id={letter}
          onClose={() => open(undefined)}
          onAct={(kind) => setAct({ kind, ids: [letter], count: 1 })}
        />
      )}
      <ActDialog
        act={act}
        consumer={consumer}
        onClose={() => setAct(null)}
        onDone={() => {
          setChosen(new Set());
          if (letter !== undefined) open(undefined);
        }}
      />
    </>
  );
}

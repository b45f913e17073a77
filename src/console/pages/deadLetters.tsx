import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useState } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import { ConsumerChoice, useConsumer } from '../consumerChoice.tsx';
import { ActDialog, type Act } from '../deadLetters/acts.tsx';
import { LetterBar } from '../deadLetters/bar.tsx';
import { LetterDrawer } from '../deadLetters/drawer.tsx';
import { Groups } from '../deadLetters/groups.tsx';
import { useLetters } from '../deadLetters/letters.ts';
import { LetterTable } from '../deadLetters/table.tsx';
import { WithLetters } from '../deadLetters/withLetters.tsx';
import { useOpened } from '../opened.ts';
import { textOf } from '../search.ts';
import { useSettled } from '../settled.ts';
import { SearchBox } from '../ui/field.tsx';
import { Failed, Loading } from '../ui/notice.tsx';
import { PageHead } from '../ui/panel.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';

const NAMES = ['consumer', 'code', 'status', 'record', 'letter'] as const;
type Search = Partial<Record<(typeof NAMES)[number], string | undefined>>;

export function deadLettersSearch(search: Record<string, unknown>): Search {
  return Object.fromEntries(NAMES.map((name) => [name, textOf(search, name)]));
}

/** The dead letters of one consumer: found by failure and record, opened, sent again, deleted. */
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
      {id === '' && <WithLetters />}
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
  const [text, setText] = useTyped(record ?? '', (typed) => set({ record: typed }));
  const { groups = [], list } = useLetters(id, { code, status, record });
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [act, setAct] = useState<Act | null>(null);
  const all = groups.reduce((sum, { count }) => sum + count, 0);
  const shown = list.rows.map((one) => one.id);
  const clear = (): void => {
    setText('');
    setChosen(new Set());
    set({ code: undefined, status: undefined, record: undefined });
  };

  return (
    <>
      {all > 0 && (
        <Groups
          groups={groups}
          chosen={{ code, status }}
          onChoose={(group) => {
            setChosen(new Set());
            set({ code: group?.code, status: group?.status });
          }}
        />
      )}
      <LetterBar
        shown={shown}
        chosen={shown.filter((one) => chosen.has(one))}
        all={all}
        onChoose={setChosen}
        onAct={setAct}
      >
        <SearchBox label="Record, its exact id" value={text} onChange={setText} />
      </LetterBar>
      <LetterTable
        list={list}
        chosen={chosen}
        onChoose={setChosen}
        onOpen={open}
        isFiltered={code !== undefined || record !== undefined}
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

/** The text of a search box, which is put into the address once typing has stopped. */
function useTyped(kept: string, onSettled: (text: string) => void) {
  const [text, setText] = useState(kept);
  const settled = useSettled(text.trim());
  useEffect(() => {
    if (settled !== kept) onSettled(settled);
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- only what was typed moves the address
  }, [settled]);
  return [text, setText] as const;
}

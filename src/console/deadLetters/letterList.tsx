import { useState } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import { useOpened } from '../opened.ts';
import { useTyped } from '../typed.ts';
import { SearchBox } from '../ui/field.tsx';
import { ActDialog, type Act } from './acts.tsx';
import { LetterBar } from './bar.tsx';
import { LetterDrawer } from './drawer.tsx';
import { statusIn } from './failure.ts';
import { Groups } from './groups.tsx';
import { useLetters, type LetterFilter } from './letters.ts';
import { LetterTable } from './table.tsx';

/** The state of the list in the address: the filter, and the letter whose drawer is open. */
export interface LetterSearch extends LetterFilter {
  letter?: string | undefined;
}

/** The dead letters of one consumer: found by failure and record, opened, replayed, deleted. */
export function LetterList(props: {
  consumer: Consumer;
  search: LetterSearch;
  onSearch: (change: LetterSearch, replace: boolean) => void;
}) {
  const { consumer, onSearch } = props;
  const { code, record, letter } = props.search;
  const status = statusIn(props.search.status);
  const open = useOpened((one, replace) => onSearch({ letter: one }, replace));
  const [text, setText] = useTyped(record ?? '', (typed) => onSearch({ record: typed }, true));
  const { groups = [], list } = useLetters(consumer.id, { code, status, record });
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [act, setAct] = useState<Act | null>(null);
  const all = groups.reduce((sum, { count }) => sum + count, 0);
  const shown = list.rows.map((one) => one.id);
  const clear = (): void => {
    setChosen(new Set());
    onSearch({ code: undefined, status: undefined, record: undefined }, true);
  };

  return (
    <>
      {all > 0 && (
        <Groups
          groups={groups}
          chosen={{ code, status }}
          onChoose={(group) => {
            setChosen(new Set());
            onSearch({ code: group?.code, status: group?.status }, true);
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
        isFiltered={code !== undefined || status !== undefined || record !== undefined}
        onClearFilters={clear}
      />
      {letter !== undefined && (
        <LetterDrawer
          consumer={consumer.id}
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

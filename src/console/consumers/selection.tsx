import { useState } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import { ActButton } from '../act.tsx';
import { useNarrow } from '../narrow.ts';
import { AskForAll } from '../overview/askForAll.tsx';
import type { EveryVerb } from '../overview/everyOne.ts';
import { WORDS } from '../overview/trouble.ts';
import { CONCERNS } from '../targets/acts.tsx';
import { Button } from '../ui/button.tsx';
import type { Column } from '../ui/dataTable.tsx';
import { amount, number } from '../words.ts';

/**
 * Which consumers of a list are selected: some of the rows that are listed now, or every one that the list has, also
 * those that have not been read. `asked` says which list it is.
 */
export function useSelection(rows: readonly Consumer[], asked: string) {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const [everyOf, setEveryOf] = useState<string | null>(null);
  const isEvery = everyOf === asked;
  const listed = new Set(rows.map(({ id }) => id));
  const chosen = isEvery ? listed : ids;
  const choose = (next: ReadonlySet<string>): void => {
    setIds(next);
    setEveryOf(null);
  };
  const toggle = (id: string): void => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    choose(next);
  };
  return {
    column: selectColumn(chosen, toggle),
    selected: rows.filter(({ id }) => chosen.has(id)),
    isEvery,
    selectAll: () => choose(listed),
    selectEvery: () => setEveryOf(asked),
    clear: () => choose(new Set()),
  };
}

function selectColumn(ids: ReadonlySet<string>, onToggle: (id: string) => void): Column<Consumer> {
  return {
    id: 'choose',
    title: 'Select',
    width: '3.25rem',
    isExtra: true,
    cell: ({ id, name }) => (
      <label
        className="flex min-h-8 items-center justify-center"
        onClick={(event) => event.stopPropagation()} // beside the box, a row would open
      >
        <input
          type="checkbox"
          aria-label={`Select ${name.slice(0, 60)}`}
          checked={ids.has(id)}
          onChange={() => onToggle(id)}
        />
      </label>
    ),
  };
}

/** What is asked for: a command, and whom it concerns, even if they leave the list while it is given. */
interface Asked {
  verb: EveryVerb;
  isSingle: boolean;
  find: () => Promise<Consumer[]>;
}

/** As tall without a selection as with one, so that no row moves under the pointer when the first is selected. */
const BAR = 'flex min-h-22 flex-wrap items-center py-1 lg:min-h-11';

/** What can be done with the consumers that are selected, each command with how many of them it concerns. */
export function SelectionActs(props: {
  selection: ReturnType<typeof useSelection>;
  /** How many consumers are listed. */
  listed: number;
  /** Whether the list has more of them. */
  hasMore: boolean;
  /** Reads every consumer of the list. */
  every: () => Promise<Consumer[]>;
}) {
  const { listed, hasMore, every } = props;
  const { selected, isEvery, selectAll, selectEvery, clear } = props.selection;
  const [asked, setAsked] = useState<Asked | null>(null);
  const concerned = (verb: EveryVerb, all: Consumer[]): Consumer[] =>
    all.filter(({ status }) => CONCERNS[verb].includes(status));
  const verbs = (Object.keys(CONCERNS) as EveryVerb[]).filter(
    (one) => isEvery || concerned(one, selected).length > 0,
  );
  function ask(verb: EveryVerb): void {
    const consumers = concerned(verb, selected);
    const find = async () => (isEvery ? concerned(verb, await every()) : consumers);
    setAsked({ verb, isSingle: !isEvery && consumers.length === 1, find });
  }
  const isNarrow = useNarrow();
  return (
    <>
      {selected.length === 0 && listed > 0 && !isNarrow && (
        <p className={`${BAR} text-soft`}>
          Select consumers to pause, resume or retry them together.
        </p>
      )}
      {selected.length > 0 && (
        <div
          role="group"
          aria-label="Selected consumers"
          className={`${BAR} sticky z-20 gap-2 bg-bg sm:top-20 lg:top-10`}
        >
          <span className="font-medium">
            {isEvery ? 'All matching consumers' : amount(selected.length, 'consumer')} selected
          </span>
          {verbs.map((verb) => (
            <ActButton key={verb} needs="manage" onClick={() => ask(verb)}>
              {isEvery
                ? WORDS[verb].button
                : `${WORDS[verb].one} ${number(concerned(verb, selected).length)}`}
            </ActButton>
          ))}
          {selected.length < listed && (
            <Button kind="quiet" onClick={selectAll}>
              Select the {amount(listed, 'row')} shown
            </Button>
          )}
          {selected.length === listed && hasMore && !isEvery && (
            <Button kind="quiet" onClick={selectEvery}>
              Select all matching consumers
            </Button>
          )}
          <Button kind="quiet" onClick={clear}>
            Select none
          </Button>
        </div>
      )}
      {asked !== null && (
        <AskForAll
          verb={asked.verb}
          target={{ id: 'selected', name: 'this list' }}
          isSingle={asked.isSingle}
          find={asked.find}
          onClose={() => setAsked(null)}
        />
      )}
    </>
  );
}

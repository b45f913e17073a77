import { useState } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import { ActButton } from '../act.tsx';
import { AskForAll } from '../overview/askForAll.tsx';
import type { EveryVerb } from '../overview/everyOne.ts';
import { WORDS } from '../overview/trouble.ts';
import { CONCERNS } from '../targets/acts.tsx';
import { Button } from '../ui/button.tsx';
import type { Column } from '../ui/dataTable.tsx';
import { amount, number } from '../words.ts';

/** Which rows of a list of consumers are selected: those of them that are listed now. */
export function useSelection(rows: readonly Consumer[]) {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const toggle = (id: string): void => {
    const next = new Set(ids);
    if (!next.delete(id)) next.add(id);
    setIds(next);
  };
  return {
    column: selectColumn(ids, toggle),
    selected: rows.filter(({ id }) => ids.has(id)),
    selectAll: () => setIds(new Set(rows.map(({ id }) => id))),
    clear: () => setIds(new Set()),
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

/** What can be done with the consumers that are selected, each command with how many of them it concerns. */
export function SelectionActs(props: {
  selected: Consumer[];
  /** How many consumers are listed. */
  listed: number;
  onSelectAll: () => void;
  onClear: () => void;
}) {
  const { selected, listed } = props;
  // Whom the command that is asked for concerns, even if they leave the list while it is given.
  const [asked, setAsked] = useState<{ verb: EveryVerb; consumers: Consumer[] } | null>(null);
  const concerned = (one: EveryVerb): Consumer[] =>
    selected.filter(({ status }) => CONCERNS[one].includes(status));
  const verbs = (Object.keys(CONCERNS) as EveryVerb[]).filter((one) => concerned(one).length > 0);
  return (
    <>
      {selected.length > 0 && (
        <div
          role="group"
          aria-label="Selected consumers"
          className="flex flex-wrap items-center gap-2"
        >
          <span className="font-medium">{amount(selected.length, 'consumer')} selected</span>
          {verbs.map((verb) => (
            <ActButton
              key={verb}
              needs="manage"
              onClick={() => setAsked({ verb, consumers: concerned(verb) })}
            >
              {WORDS[verb].one} {number(concerned(verb).length)}
            </ActButton>
          ))}
          {selected.length < listed && (
            <Button kind="quiet" onClick={props.onSelectAll}>
              Select the {amount(listed, 'row')} shown
            </Button>
          )}
          <Button kind="quiet" onClick={props.onClear}>
            Select none
          </Button>
        </div>
      )}
      {asked !== null && (
        <AskForAll
          verb={asked.verb}
          target={{ id: 'selected', name: 'this list' }}
          isSingle={asked.consumers.length === 1}
          find={() => Promise.resolve(asked.consumers)}
          onClose={() => setAsked(null)}
        />
      )}
    </>
  );
}

import { useVirtualizer } from '@tanstack/react-virtual';
import { useId, useMemo, useRef, useState } from 'react';

import { Button } from '../ui/button.tsx';
import { amount, number } from '../words.ts';
import {
  canFollow,
  choicesOf,
  matching,
  tableText,
  type FoundTable,
  type TableChoice,
} from './tableChoices.ts';

const ROW = 34;
const HAS_SCHEMA = /^[^.\s]+\.[^.\s]+$/u;

/**
 * Selects the tables to follow among those that were found, which can be searched; one that can't be followed says why
 * and what to do. Others can be typed.
 */
export function TablePicker(props: {
  /** Null: no test has found any yet. */
  found: readonly FoundTable[] | null;
  selected: string[];
  onChange: (selected: string[]) => void;
  error: string | undefined;
}) {
  const { found, selected, error } = props;
  const about = useId();
  const [text, setText] = useState('');
  const choices = useMemo(() => choicesOf(found ?? [], selected), [found, selected]);
  const shown = useMemo(() => matching(choices, text), [choices, text]);
  const picked = useMemo(() => new Set(selected), [selected]);
  const typed = text.trim();
  const isNew = HAS_SCHEMA.test(typed) && !choices.some(({ table }) => table === typed);
  const free = shown.filter((one) => canFollow(one) && !picked.has(one.table));
  // In one order, so that a form that selects what is stored has not been changed.
  const onChange = (tables: string[]): void => props.onChange(tables.toSorted());
  const toggle = (table: string): void =>
    onChange(picked.has(table) ? selected.filter((one) => one !== table) : [...selected, table]);
  const add = (): void => {
    onChange([...selected, typed]);
    setText('');
  };

  return (
    <fieldset className="flex min-w-0 flex-col gap-2">
      <legend className="sr-only">Tables</legend>
      <p className={selected.length === 0 ? 'text-soft' : ''}>
        {selected.length === 0 ? 'No table' : amount(selected.length, 'table')} selected
      </p>
      <input
        type="search"
        data-search
        aria-label="Search tables"
        placeholder={
          choices.length === 0
            ? 'Type schema.table'
            : `Search ${amount(choices.length, 'table')}, or type schema.table`
        }
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return;
          event.preventDefault(); // so that Enter does not send the form
          if (isNew) add();
          else if (free.length === 1 && free[0] !== undefined) toggle(free[0].table);
        }}
        aria-invalid={error !== undefined}
        aria-describedby={error === undefined ? undefined : about}
        className="min-h-8 min-w-0 rounded-md border border-line-strong bg-panel px-2 py-1 aria-invalid:border-bad"
      />
      {error !== undefined && (
        <p id={about} className="foreign text-bad">
          {error}
        </p>
      )}
      <div className="flex flex-wrap gap-2 empty:hidden">
        {isNew && (
          <Button onClick={add}>
            <span className="foreign max-w-60 truncate">Add “{typed}”</span>
          </Button>
        )}
        {free.length > 1 && (
          <Button
            kind="quiet"
            onClick={() => onChange([...selected, ...free.map(({ table }) => table)])}
          >
            Select all {number(free.length)}
            {typed === '' ? ' that can be followed' : ' results'}
          </Button>
        )}
        {selected.length > 0 && (
          <Button kind="quiet" onClick={() => onChange([])}>
            Clear
          </Button>
        )}
      </div>
      {shown.length === 0 ? (
        <p className="text-soft">{noneText(found, typed)}</p>
      ) : (
        <Choices shown={shown} picked={picked} onToggle={toggle} />
      )}
    </fieldset>
  );
}

function noneText(found: readonly FoundTable[] | null, typed: string): string {
  if (typed !== '') return 'No table matches this text.';
  return found === null
    ? 'Test the connection to see its tables.'
    : 'The role of this URL can see no table.';
}

/** The list itself; only what is in sight is drawn, as there can be a thousand. */
function Choices(props: {
  shown: readonly TableChoice[];
  picked: ReadonlySet<string>;
  onToggle: (table: string) => void;
}) {
  const { shown, picked, onToggle } = props;
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 8,
    getItemKey: (index) => shown[index]?.table ?? index,
  });
  return (
    <div
      ref={box}
      role="group"
      aria-label={amount(shown.length, 'table')}
      className="max-h-96 overflow-y-auto rounded-md border border-line"
    >
      <div className="relative" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ key, index, start }) => {
          const choice = shown[index] as TableChoice;
          return (
            <div
              key={key}
              data-index={index}
              ref={virtual.measureElement}
              style={{ transform: `translateY(${start}px)` }}
              className="absolute top-0 left-0 w-full border-b border-line"
            >
              <Choice
                choice={choice}
                isPicked={picked.has(choice.table)}
                onToggle={() => onToggle(choice.table)}
              />
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Choice(props: { choice: TableChoice; isPicked: boolean; onToggle: () => void }) {
  const { choice, isPicked, onToggle } = props;
  const isAble = canFollow(choice);
  return (
    <>
      <label className="flex min-h-8 flex-wrap items-center gap-x-2 px-2 py-1 hover:bg-sunk">
        <input
          type="checkbox"
          checked={isPicked}
          disabled={!isAble && !isPicked}
          onChange={onToggle}
        />
        <span className={`foreign min-w-0 flex-1 ${isAble ? '' : 'text-soft'}`}>
          {choice.table}
        </span>
        <span className="foreign text-xs text-soft empty:hidden max-sm:basis-full max-sm:pl-5">
          {tableText(choice)}
        </span>
      </label>
      {choice.found?.findings.map(({ problem, advice }) => (
        <p key={problem} className="foreign px-2 pb-1 pl-8 text-xs">
          <span aria-hidden className="mr-1 text-warn">
            ▲
          </span>
          {problem} <span className="text-soft">{advice}</span>
        </p>
      ))}
    </>
  );
}

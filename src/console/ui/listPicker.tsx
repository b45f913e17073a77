import { useVirtualizer } from '@tanstack/react-virtual';
import { useId, useMemo, useRef, useState } from 'react';

import { amount, number } from '../words.ts';
import { Button } from './button.tsx';

export interface Choice {
  value: string;
  /** What is shown beside the value, such as a name or a count. */
  about?: string;
}

interface Props {
  /** What the values are, such as `syncs`. */
  what: string;
  /** `['*']` for everything. */
  chosen: string[];
  onChange: (chosen: string[]) => void;
  choices: Choice[];
  isLoading?: boolean;
  /** Whether values may be added that no entry has had yet. */
  isOpen?: boolean;
  /** Why a text cannot be added. */
  refuse?: (text: string) => string | null;
}

const ROW = 34;
const CHIPS = 30;

/** Chooses everything, or some of thousands of values, which can be searched, ticked, or typed before any was seen. */
export function ListPicker(props: Props) {
  const { what, chosen, onChange, choices, isOpen = true } = props;
  const name = useId();
  const [text, setText] = useState('');
  const isAll = chosen[0] === '*';
  const picked = useMemo(() => new Set(chosen), [chosen]);
  const found = useMemo(() => matching(choices, text), [choices, text]);
  const typed = text.trim();
  const isNew =
    isOpen &&
    typed !== '' &&
    typed !== '*' &&
    !choices.some(({ value }) => value === typed) &&
    !picked.has(typed);
  const refusal = isNew ? (props.refuse?.(typed) ?? null) : null;
  const toggle = (value: string): void =>
    onChange(picked.has(value) ? chosen.filter((one) => one !== value) : [...chosen, value]);

  /** What Enter takes: the typed value itself, or the only one that is found. */
  const take = (): void => {
    const known = choices.some(({ value }) => value === typed) ? typed : undefined;
    const only = found.length === 1 ? found[0]?.value : undefined;
    const value = known ?? (isNew && refusal === null ? typed : only);
    if (typed === '' || value === undefined) return;
    if (!picked.has(value)) onChange([...chosen, value]);
    setText('');
  };

  return (
    <fieldset className="flex min-w-0 flex-col gap-2">
      <legend className="sr-only">{what}</legend>
      <div className="flex flex-wrap gap-4">
        <label className="flex items-center gap-2">
          <input type="radio" name={name} checked={isAll} onChange={() => onChange(['*'])} />
          All, including future ones
        </label>
        <label className="flex items-center gap-2">
          <input type="radio" name={name} checked={!isAll} onChange={() => onChange([])} />
          Selected {what}
        </label>
      </div>
      {!isAll && (
        <>
          <Chosen what={what} chosen={chosen} onRemove={toggle} onClear={() => onChange([])} />
          <input
            type="search"
            data-search
            aria-label={`Search ${what}`}
            placeholder={`Search ${number(choices.length)} ${what}${isOpen ? ', or type a new one' : ''}`}
            value={text}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={(event) => {
              if (event.key !== 'Enter') return;
              event.preventDefault(); // so that Enter does not send the form
              take();
            }}
            className="min-h-8 rounded-md border border-line-strong bg-panel px-2 py-1"
          />
          <div className="flex flex-wrap gap-2">
            {isNew && refusal === null && (
              <Button onClick={take}>
                <span className="foreign max-w-60 truncate">Add “{typed}”</span>
              </Button>
            )}
            {found.length > 0 && typed !== '' && (
              <Button
                kind="quiet"
                onClick={() =>
                  onChange([...new Set([...chosen, ...found.map(({ value }) => value)])])
                }
              >
                Select all {number(found.length)} results
              </Button>
            )}
          </div>
          {/* While something is found, the text may be a search. */}
          {refusal !== null && found.length === 0 && <p className="text-bad">{refusal}</p>}
          <Options
            found={found}
            picked={picked}
            onToggle={toggle}
            what={what}
            none={
              typed === ''
                ? `No ${what} seen yet. Type one to add it.`
                : `No ${what} match this text.`
            }
            isLoading={props.isLoading === true}
          />
        </>
      )}
    </fieldset>
  );
}

function matching(choices: Choice[], text: string): Choice[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return choices;
  return choices.filter(({ value, about }) =>
    `${value} ${about ?? ''}`.toLowerCase().includes(wanted),
  );
}

function Chosen(props: {
  what: string;
  chosen: string[];
  onRemove: (value: string) => void;
  onClear: () => void;
}) {
  const { chosen, what } = props;
  if (chosen.length === 0)
    return <p className="text-warn">▲ No {what} selected: nothing would match.</p>;
  return (
    <div className="flex flex-wrap items-center gap-1">
      <span className="mr-1">{number(chosen.length)} selected:</span>
      {chosen.slice(0, CHIPS).map((value) => (
        <button
          key={value}
          type="button"
          aria-label={`Remove ${value}`}
          onClick={() => props.onRemove(value)}
          className="inline-flex max-w-60 items-center gap-1 rounded bg-accent-soft px-1.5 py-0.5 text-xs text-accent"
        >
          <span className="foreign truncate">{value}</span>
          <span aria-hidden>✕</span>
        </button>
      ))}
      {chosen.length > CHIPS && <span>and {number(chosen.length - CHIPS)} more</span>}
      <Button kind="quiet" onClick={props.onClear}>
        Clear
      </Button>
    </div>
  );
}

function Options(props: {
  found: Choice[];
  picked: Set<string>;
  onToggle: (value: string) => void;
  what: string;
  /** What is said when nothing is found. */
  none: string;
  isLoading: boolean;
}) {
  const { found, picked, onToggle, what } = props;
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: found.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 8,
  });
  if (found.length === 0) {
    return <p className="text-soft">{props.isLoading ? `Loading ${what}…` : props.none}</p>;
  }
  return (
    <div
      ref={box}
      role="group"
      aria-label={amount(found.length, 'choice')}
      className="max-h-72 overflow-y-auto rounded-md border border-line"
    >
      <div className="relative" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ key, index, start, size }) => {
          const choice = found[index] as Choice;
          return (
            <label
              key={key}
              style={{ transform: `translateY(${start}px)`, height: size }}
              className="absolute top-0 left-0 flex w-full items-center gap-2 px-2 hover:bg-sunk"
            >
              <input
                type="checkbox"
                checked={picked.has(choice.value)}
                onChange={() => onToggle(choice.value)}
              />
              <span className="foreign min-w-0 flex-1 truncate">{choice.value}</span>
              <span className="foreign max-w-[50%] truncate text-xs text-soft">{choice.about}</span>
            </label>
          );
        })}
      </div>
    </div>
  );
}

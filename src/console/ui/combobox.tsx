import { useEffect, useId, useState, type KeyboardEvent } from 'react';

import { number } from '../words.ts';
import { Button } from './button.tsx';
import { BOX, Field } from './field.tsx';

export interface Option {
  value: string;
  /** The text that is shown; the value itself unless given. */
  text?: string | undefined;
  /** What is shown beside it, such as a count or a state. */
  about?: string | undefined;
}

interface Props {
  label: string;
  /** The chosen value; empty when none is chosen. */
  value: string;
  /** The text that is shown for the value. */
  shown?: string | undefined;
  /** The text that is shown while none is chosen. */
  placeholder: string;
  options: readonly Option[];
  onPick: (value: string) => void;
  /** Called with what is typed, if the parent finds the options; without it they are filtered here. */
  onText?: (text: string) => void;
  /** Whether the options are still those for an earlier text; Enter waits for those for this one. */
  isLoading?: boolean;
  /** Whether a text may be taken that is not among the options. */
  isOpen?: boolean;
  /** Whether `/` moves here. */
  isSearch?: boolean;
}

const SHOWN = 100;

/** One of many, found by typing: arrows move, Enter takes, Escape leaves it as it was. */
export function Combobox(props: Props) {
  const { label, value, shown = value, placeholder, options, onPick, onText } = props;
  const id = useId();
  const [text, setText] = useState<string | null>(null);
  /** The option that the arrows have come to. */
  const [reached, setReached] = useState<string | null>(null);
  const [isAwaited, setAwaited] = useState(false);
  const isTyping = text !== null;
  const found = isTyping && onText === undefined ? matching(options, text) : options;
  const listed = found.slice(0, SHOWN);
  const active = listed.findIndex((option) => option.value === reached);

  const close = (): void => {
    setText(null);
    setReached(null);
    setAwaited(false);
    onText?.('');
  };
  const take = (next: string): void => {
    close();
    if (next !== value) onPick(next);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      setText(text ?? '');
      setReached(listed[Math.max(0, Math.min(listed.length - 1, active + step))]?.value ?? null);
    } else if (event.key === 'Escape') close();
    else if (event.key === 'Enter' && isTyping) {
      event.preventDefault();
      if (active < 0 && props.isLoading === true) setAwaited(true);
      else takeChosen();
    }
  };
  const takeChosen = (): void => {
    const chosen = listed[active]?.value ?? typed();
    if (chosen !== null) take(chosen);
  };
  /** What Enter takes when no option was moved to. */
  const typed = (): string | null => {
    const trimmed = (text ?? '').trim();
    if (props.isOpen === true) return trimmed;
    return trimmed === '' ? null : (listed[0]?.value ?? null);
  };
  useEffect(() => {
    if (!isAwaited || props.isLoading === true) return;
    setAwaited(false);
    takeChosen();
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- once, when the options that are awaited have come
  }, [isAwaited, props.isLoading]);
  useEffect(() => {
    if (active >= 0)
      document.getElementById(`${id}-${active}`)?.scrollIntoView({ block: 'nearest' });
  }, [active, id]);

  return (
    <Field label={label}>
      {(attributes) => (
        <div className="relative flex gap-1">
          <input
            {...attributes}
            {...(props.isSearch === true ? { 'data-search': true } : {})}
            role="combobox"
            aria-autocomplete="list"
            aria-expanded={isTyping}
            aria-controls={`${id}-list`}
            aria-activedescendant={active >= 0 ? `${id}-${active}` : undefined}
            autoComplete="off"
            spellCheck={false}
            placeholder={placeholder}
            value={text ?? shown}
            onFocus={(event) => event.target.select()}
            onClick={() => !isTyping && setText('')}
            onChange={(event) => {
              setText(event.target.value);
              setReached(null);
              setAwaited(false);
              onText?.(event.target.value);
            }}
            onKeyDown={onKeyDown}
            onBlur={() => {
              if (isTyping && props.isOpen === true && text.trim() !== '') take(text.trim());
              else close();
            }}
            className={`${BOX} text-ellipsis`}
          />
          {value !== '' && (
            <Button
              kind="quiet"
              aria-label={`Clear ${label}`}
              onClick={() => {
                take('');
                document.getElementById(attributes.id)?.focus(); // this button is gone then
              }}
            >
              ✕
            </Button>
          )}
          {isTyping && (
            <Options
              id={id}
              label={label}
              value={value}
              options={listed}
              active={active}
              onTake={take}
              below={below(props, found.length, text)}
            />
          )}
        </div>
      )}
    </Field>
  );
}

function Options(props: {
  id: string;
  label: string;
  value: string;
  options: readonly Option[];
  active: number;
  onTake: (value: string) => void;
  below: string;
}) {
  const { id, label, value, options, active, onTake } = props;
  return (
    <div
      id={`${id}-list`}
      role="listbox"
      aria-label={label}
      className="absolute top-full left-0 z-30 mt-1 max-h-72 w-full min-w-56 overflow-y-auto rounded-md border border-line bg-panel p-1 shadow-pop"
      // Keeps the focus in the field, so that a click comes before it is left.
      onMouseDown={(event) => event.preventDefault()}
    >
      {options.map((option, index) => (
        <div
          key={option.value}
          id={`${id}-${index}`}
          role="option"
          aria-selected={option.value === value}
          onClick={() => onTake(option.value)}
          className={`flex min-h-8 cursor-pointer items-center gap-2 rounded px-2 hover:bg-sunk ${index === active ? 'bg-sunk' : ''}`}
        >
          <span className="foreign line-clamp-2 max-w-full shrink-0">
            {option.text ?? option.value}
          </span>
          <span className="foreign ml-auto min-w-0 truncate text-xs text-soft">{option.about}</span>
        </div>
      ))}
      <p role="presentation" className="px-2 py-1 text-xs text-soft empty:hidden">
        {props.below}
      </p>
    </div>
  );
}

function below({ isLoading, isOpen }: Props, found: number, text: string): string {
  if (found > SHOWN) return `${number(found - SHOWN)} more. Type to narrow the list.`;
  if (isLoading === true) return 'Loading…';
  if (found > 0) return '';
  return isOpen === true && text.trim() !== ''
    ? 'Not seen yet. Press Enter to use it anyway.'
    : 'None found';
}

function matching(options: readonly Option[], text: string): readonly Option[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return options;
  return options.filter(({ value, text: name = '', about = '' }) =>
    `${value} ${name} ${about}`.toLowerCase().includes(wanted),
  );
}

import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useId, useRef, useState, type KeyboardEvent, type MouseEvent } from 'react';

import { api, messageOf } from '../api.ts';
import { isCovered } from '../keys.ts';
import { useNarrow } from '../narrow.ts';
import { useSettled } from '../settled.ts';
import { BOX } from '../ui/field.tsx';
import { amount } from '../words.ts';
import { byKind, choicesOf, KINDS, pagesFor, type Choice } from './choices.ts';

const TYPING_MS = 150;

/**
 * The search of everything, in the header of each page: Ctrl or Cmd and K focus it, and so does `/` if the page
 * has no search of its own. Arrows move, Enter opens the result, Escape closes the search and returns the
 * focus.
 */
export function FindEverywhere() {
  const id = useId();
  const navigate = useNavigate();
  const isNarrow = useNarrow();
  const field = useRef<HTMLInputElement>(null);
  const opener = useRef<Element | null>(null);
  const [text, setText] = useState('');
  const [isOpen, setOpen] = useState(false);
  const [active, setActive] = useState(0);
  /** The text for which Enter was pressed before its answer had come. */
  const [awaited, setAwaited] = useState<string | null>(null);
  useFocusKey(field);

  const wanted = text.trim();
  const found = useFound(isOpen ? wanted : '');
  const choices = isOpen ? [...pagesFor(wanted), ...(wanted === '' ? [] : found.choices)] : [];
  const chosen = choices[Math.min(active, choices.length - 1)];

  const close = (): void => {
    setOpen(false);
    setAwaited(null);
    setActive(0);
  };
  const goTo = ({ href }: Choice): void => {
    close();
    setText('');
    document.getElementById('main')?.focus({ preventScroll: true });
    void navigate({ href });
  };
  const leave = (): void => {
    close();
    setText('');
    if (opener.current instanceof HTMLElement && opener.current.isConnected) opener.current.focus();
    else field.current?.blur();
  };
  useEffect(() => {
    if (awaited === null || awaited !== found.of) return;
    setAwaited(null);
    if (chosen !== undefined) goTo(chosen);
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- once, when the answer that is awaited has come
  }, [awaited, found.of]);
  useEffect(() => {
    document.getElementById(`${id}-${active}`)?.scrollIntoView({ block: 'nearest' });
  }, [active, id]);

  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      setOpen(true);
      if (isOpen && choices.length > 0)
        setActive((active + step + choices.length) % choices.length);
    } else if (event.key === 'Escape') {
      event.preventDefault();
      leave();
    } else if (event.key === 'Enter' && isOpen) {
      event.preventDefault();
      if (wanted !== '' && wanted !== found.of && !found.isFailed) setAwaited(wanted);
      else if (chosen !== undefined) goTo(chosen);
    }
  };

  return (
    <div className="min-w-24 flex-1 sm:relative sm:max-w-64">
      <input
        ref={field}
        data-search
        role="combobox"
        aria-label="Search everything"
        aria-autocomplete="list"
        aria-expanded={choices.length > 0}
        aria-controls={choices.length > 0 ? `${id}-list` : undefined}
        aria-activedescendant={
          chosen === undefined ? undefined : `${id}-${choices.indexOf(chosen)}`
        }
        aria-keyshortcuts="Control+K Meta+K"
        autoComplete="off"
        spellCheck={false}
        placeholder={isNarrow ? 'Search' : 'Search  (Ctrl K)'}
        value={text}
        onFocus={(event) => {
          opener.current = event.relatedTarget;
          event.target.select();
        }}
        onClick={() => setOpen(true)}
        onChange={(event) => {
          setText(event.target.value);
          setOpen(true);
          setActive(0);
          setAwaited(null);
        }}
        onKeyDown={onKeyDown}
        onBlur={close}
        className={`${BOX} text-ellipsis`}
      />
      {isOpen && (
        <div
          role="presentation"
          className="absolute inset-x-3 z-50 mt-1 flex max-h-[75dvh] flex-col overflow-y-auto rounded-md border border-line bg-panel p-1 shadow-pop sm:right-0 sm:left-auto sm:w-[30rem]"
          // Keeps the focus in the field, so that a click comes before it is left.
          onMouseDown={(event) => event.preventDefault()}
        >
          {choices.length > 0 && (
            <Choices id={id} choices={choices} chosen={chosen} onChoose={goTo} />
          )}
          <p role="status" className="foreign px-2 py-1 text-xs text-soft">
            {statusOf(wanted, choices.length, found)}
          </p>
        </div>
      )}
    </div>
  );
}

interface Found {
  choices: Choice[];
  /** Why there are none, where the API says it. */
  note: string | undefined;
  /** The text for which they were found; null while the text of the field has no answer yet. */
  of: string | null;
  isFailed: boolean;
  error: Error | null;
}

/** The API's results for a text; while more is being typed, those for its beginning. */
function useFound(text: string): Found {
  const q = useSettled(text, TYPING_MS);
  const query = useQuery({
    queryKey: ['search', q],
    queryFn: () => api.search(q),
    enabled: q !== '' && text !== '',
    placeholderData: (before, of) =>
      of !== undefined && q.startsWith(of.queryKey[1] ?? '') ? before : undefined,
    retry: false,
  });
  const isAnswered = q === text && query.data !== undefined && !query.isPlaceholderData;
  return {
    choices: choicesOf(query.data?.data ?? []),
    note: query.data?.note,
    of: isAnswered ? q : null,
    isFailed: q === text && query.isError,
    error: query.error,
  };
}

function statusOf(wanted: string, shown: number, { of, isFailed, error, note }: Found): string {
  if (wanted === '') return SEARCHED;
  if (isFailed) return messageOf(error);
  if (of !== wanted) return 'Searching…';
  if (shown > 0) return `${amount(shown, 'result')}. Use the arrow keys and Enter.`;
  return `Nothing was found for “${wanted}”. ${note ?? SEARCHED}`;
}

const SEARCHED =
  'Finds consumers and targets by the beginning of a name or an id, syncs, records by their upstream id, ' +
  'entries and batches by their event id, webhook-id or trace, and pages.';

function Choices(props: {
  id: string;
  choices: Choice[];
  chosen: Choice | undefined;
  onChoose: (choice: Choice) => void;
}) {
  const { id, choices, chosen, onChoose } = props;
  const onClick = (event: MouseEvent, choice: Choice): void => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab or window of its own
    event.preventDefault();
    onChoose(choice);
  };
  return (
    <div id={`${id}-list`} role="listbox" aria-label="Results">
      {byKind(choices).map((group) => (
        <div key={group.kind} role="group" aria-label={KINDS[group.kind]}>
          <div aria-hidden className="px-2 pt-1 text-xs font-semibold text-soft">
            {KINDS[group.kind]}
          </div>
          {group.choices.map((choice) => (
            <a
              key={choice.key}
              id={`${id}-${choices.indexOf(choice)}`}
              role="option"
              aria-selected={choice === chosen}
              tabIndex={-1}
              href={choice.href}
              onClick={(event) => onClick(event, choice)}
              className={`flex min-h-8 items-center gap-2 rounded px-2 hover:bg-sunk ${choice === chosen ? 'bg-accent-soft' : ''}`}
            >
              <span className="foreign min-w-0 flex-1 truncate">{choice.text}</span>
              <span className="foreign max-w-[55%] truncate text-xs text-soft empty:hidden">
                {choice.about}
              </span>
            </a>
          ))}
        </div>
      ))}
    </div>
  );
}

/** Ctrl or Cmd and K focus the field from everywhere, even while someone types, but not from a dialog. */
function useFocusKey(field: { current: HTMLInputElement | null }): void {
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent): void => {
      const isIt = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
      if (!isIt || event.key.toLowerCase() !== 'k' || isCovered()) return;
      event.preventDefault();
      field.current?.focus();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [field]);
}

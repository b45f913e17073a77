import { createContext, use, useCallback, useMemo, useRef, useState, type ReactNode } from 'react';

import { messageOf, pageAbout } from '../api.ts';
import { Button } from './button.tsx';
import { AboutError } from './notice.tsx';

interface Note {
  id: number;
  text: string;
  kind: 'ok' | 'bad';
  /** The page about what was refused. */
  page: string | null;
}

/** How a note is shown: with the page about it, and until it is closed. */
interface Shown {
  page?: string | null;
  stays?: boolean;
}

export interface Toasts {
  /** Says that something was done; `stays`: until it is closed. */
  done: (text: string, options?: { stays?: boolean }) => void;
  /** Says that something was not done, and stays until it is closed. */
  failed: (text: string) => void;
  /** Says why the API refused an action, and stays until it is closed. */
  refused: (error: unknown) => void;
}

const Context = createContext<Toasts | null>(null);
const SHOWN_MS = 6_000;

/** Shows the result of an action in a corner of the page. */
export function useToasts(): Toasts {
  const toasts = use(Context);
  if (toasts === null) throw new Error('useToasts needs a ToastProvider above it');
  return toasts;
}

export function ToastProvider({ children }: { children: ReactNode }) {
  const [notes, setNotes] = useState<Note[]>([]);
  const nextId = useRef(0);
  const close = useCallback(
    (id: number) => setNotes((all) => all.filter((note) => note.id !== id)),
    [],
  );
  const show = useCallback(
    (kind: Note['kind'], text: string, { page = null, stays = true }: Shown = {}) => {
      const id = (nextId.current += 1);
      setNotes((all) => [...all.slice(-3), { id, kind, text, page }]);
      if (!stays) setTimeout(() => close(id), SHOWN_MS);
    },
    [close],
  );
  const toasts = useMemo(
    () => ({
      done: (text: string, { stays = false } = {}) => show('ok', text, { stays }),
      failed: (text: string) => show('bad', text),
      refused: (error: unknown) => show('bad', messageOf(error), { page: pageAbout(error) }),
    }),
    [show],
  );
  return (
    <Context value={toasts}>
      {children}
      <div
        role="status"
        aria-live="polite"
        className="pointer-events-none fixed right-3 bottom-3 z-60 flex w-[min(26rem,calc(100vw-1.5rem))] flex-col gap-2"
      >
        {notes.map(({ id, kind, text, page }) => (
          <div
            key={id}
            className={`pointer-events-auto flex items-start gap-2 rounded-md border bg-panel p-2 pl-3 shadow-pop ${kind === 'ok' ? 'border-ok' : 'border-bad'}`}
          >
            <span aria-hidden className={kind === 'ok' ? 'text-ok' : 'text-bad'}>
              {kind === 'ok' ? '✓' : '✕'}
            </span>
            <p className="foreign flex-1">
              {text} {page !== null && <AboutError page={page} />}
            </p>
            <Button kind="quiet" aria-label="Dismiss" onClick={() => close(id)}>
              ✕
            </Button>
          </div>
        ))}
      </div>
    </Context>
  );
}

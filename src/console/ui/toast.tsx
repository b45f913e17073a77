import { createContext, use, useCallback, useMemo, useRef, useState, type ReactNode } from 'react';

import { Button } from './button.tsx';

interface Note {
  id: number;
  text: string;
  kind: 'ok' | 'bad';
}

export interface Toasts {
  /** Says that something was done. */
  done: (text: string) => void;
  /** Says that something was not done, and stays until it is closed. */
  failed: (text: string) => void;
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
    (kind: Note['kind'], text: string) => {
      const id = (nextId.current += 1);
      setNotes((all) => [...all.slice(-3), { id, kind, text }]);
      if (kind === 'ok') setTimeout(() => close(id), SHOWN_MS);
    },
    [close],
  );
  const toasts = useMemo(
    () => ({
      done: (text: string) => show('ok', text),
      failed: (text: string) => show('bad', text),
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
        {notes.map(({ id, kind, text }) => (
          <div
            key={id}
            className={`pointer-events-auto flex items-start gap-2 rounded-md border bg-panel p-2 pl-3 shadow-pop ${kind === 'ok' ? 'border-ok' : 'border-bad'}`}
          >
            <span aria-hidden className={kind === 'ok' ? 'text-ok' : 'text-bad'}>
              {kind === 'ok' ? '✓' : '✕'}
            </span>
            <p className="foreign flex-1">{text}</p>
            <Button kind="quiet" aria-label="Close this note" onClick={() => close(id)}>
              ✕
            </Button>
          </div>
        ))}
      </div>
    </Context>
  );
}

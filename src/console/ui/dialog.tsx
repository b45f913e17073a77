import { Dialog as Radix } from 'radix-ui';
import { useRef, type ReactNode } from 'react';

import { Button } from './button.tsx';

interface Props {
  open: boolean;
  onClose: () => void;
  title: ReactNode;
  /** What it is about, read out with the title. */
  description?: ReactNode;
  children?: ReactNode;
  /** Buttons at the end. */
  actions?: ReactNode;
}

/**
 * Gives the focus back to what had it before the window opened; if that is gone or can't have it, to the
 * page. radix-ui knows only openers that are its own.
 */
function useFocusBack() {
  const opener = useRef<Element | null>(null);
  return {
    onOpenAutoFocus: () => {
      opener.current = document.activeElement;
    },
    onCloseAutoFocus: (event: Event) => {
      event.preventDefault();
      // The page stays where it is: what opened the window may be gone, or out of sight by now.
      const still = { preventScroll: true };
      if (opener.current instanceof HTMLElement) opener.current.focus(still);
      if (document.activeElement === document.body) document.getElementById('main')?.focus(still);
    },
  };
}

const SHADE = 'fixed inset-0 z-40 bg-black/40';

/** A window over the page; Escape and a click beside it close it. */
export function Dialog({ open, onClose, title, description, children, actions }: Props) {
  const focusBack = useFocusBack();
  return (
    <Radix.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className={SHADE} />
        <Radix.Content
          {...focusBack}
          {...(description === undefined ? { 'aria-describedby': undefined } : {})}
          className="fixed top-1/2 left-1/2 z-50 flex max-h-[90dvh] w-[min(34rem,calc(100vw-1.5rem))] -translate-1/2 flex-col gap-3 overflow-y-auto rounded-lg border border-line bg-panel p-4 shadow-pop"
        >
          <Radix.Title className="foreign line-clamp-4 shrink-0 text-lg font-semibold">
            {title}
          </Radix.Title>
          <Description>{description}</Description>
          {children}
          {actions !== undefined && (
            <div className="mt-1 flex flex-wrap justify-end gap-2">{actions}</div>
          )}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** A panel from the right with one thing's details. */
export function Drawer({ open, onClose, title, description, children, actions }: Props) {
  const focusBack = useFocusBack();
  return (
    <Radix.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className={SHADE} />
        <Radix.Content
          {...focusBack}
          {...(description === undefined ? { 'aria-describedby': undefined } : {})}
          className="fixed inset-y-0 right-0 z-50 flex w-[min(46rem,100vw)] flex-col border-l border-line bg-panel shadow-pop"
        >
          <header className="flex items-start gap-2 border-b border-line px-4 py-3">
            <div className="min-w-0 flex-1">
              <Radix.Title className="foreign text-base font-semibold">{title}</Radix.Title>
              <Description>{description}</Description>
            </div>
            {actions}
            <Button kind="quiet" aria-label="Close" onClick={onClose}>
              ✕
            </Button>
          </header>
          <div className="flex flex-1 flex-col gap-4 overflow-y-auto p-4">{children}</div>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

function Description({ children }: { children: ReactNode }) {
  if (children === undefined) return null;
  return (
    <Radix.Description asChild>
      <div className="foreign text-soft">{children}</div>
    </Radix.Description>
  );
}

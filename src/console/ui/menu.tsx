import { useEffect, useId, useRef, useState, type KeyboardEvent } from 'react';

import { Button, type ButtonKind } from './button.tsx';

export interface MenuItem {
  label: string;
  onSelect: () => void;
  /** Which of the items is chosen, if they are alternatives. */
  isChosen?: boolean;
}

/**
 * A menu under its button: arrows move, Enter chooses, Escape and a click elsewhere close it. Written
 * by hand, as radix-ui's menu would be a twentieth of all our JavaScript.
 */
export function Menu(props: {
  title: string;
  items: MenuItem[];
  kind?: ButtonKind;
  /** Why it may not be opened. */
  refusal?: string | null;
}) {
  const { title, items, kind = 'quiet', refusal = null } = props;
  const id = useId();
  const [isOpen, setOpen] = useState(false);
  const [side, setSide] = useState('right-0');
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!isOpen) return;
    entries(box.current)[0]?.focus();
    const onPress = (event: PointerEvent): void => {
      if (!box.current?.contains(event.target as Node)) setOpen(false);
    };
    addEventListener('pointerdown', onPress);
    return () => removeEventListener('pointerdown', onPress);
  }, [isOpen]);

  const close = (): void => {
    setOpen(false);
    button.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (!isOpen) return;
    if (event.key === 'Tab') return setOpen(false);
    const all = entries(box.current);
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined && event.key !== 'Escape') return;
    event.preventDefault();
    if (to === undefined) close();
    else all.at(to % all.length)?.focus();
  };

  return (
    // oxlint-disable-next-line jsx-a11y/no-static-element-interactions -- keys of the menu inside it
    <div ref={box} className="relative" onKeyDown={onKeyDown}>
      <Button
        kind={kind}
        refusal={refusal}
        ref={button}
        id={id}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        onClick={({ currentTarget }) => {
          // It opens to the side that has room.
          const { right } = currentTarget.getBoundingClientRect();
          setSide(right > innerWidth / 2 ? 'right-0' : 'left-0');
          setOpen(!isOpen);
        }}
      >
        {title} <span aria-hidden>▾</span>
      </Button>
      {isOpen && (
        <div
          role="menu"
          aria-labelledby={id}
          className={`absolute top-full z-50 ${side} mt-1 min-w-48 rounded-md border border-line bg-panel p-1 shadow-pop`}
        >
          {items.map(({ label, onSelect, isChosen }) => (
            <button
              key={label}
              type="button"
              role={isChosen === undefined ? 'menuitem' : 'menuitemradio'}
              {...(isChosen === undefined ? {} : { 'aria-checked': isChosen })}
              tabIndex={-1}
              onClick={() => {
                close();
                onSelect();
              }}
              className="flex min-h-8 w-full items-center gap-2 rounded px-2 text-left whitespace-nowrap hover:bg-sunk focus:bg-sunk"
            >
              {items.some((item) => item.isChosen !== undefined) && (
                <span aria-hidden className="w-3">
                  {isChosen === true ? '✓' : ''}
                </span>
              )}
              {label}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

function entries(box: HTMLElement | null): HTMLElement[] {
  return [...(box?.querySelectorAll<HTMLElement>('[role^="menuitem"]') ?? [])];
}

import { useEffect, useRef } from 'react';

export type KeyMap = Record<string, (event: KeyboardEvent) => void>;

/** How long the second key of two may take, ms. */
const SECOND_KEY_MS = 1_500;

/**
 * Keys of a page, by `event.key`; two after another are written `g c`. Silent while someone types, a
 * modifier is held, or a dialog or menu is open.
 */
export function useKeys(map: KeyMap): void {
  const current = useRef(map);
  current.current = map;
  useEffect(() => {
    let first = { key: '', at: -Infinity };
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (isTyping(event.target) || isCovered()) return;
      const keys = current.current;
      const isSecond = event.timeStamp - first.at < SECOND_KEY_MS;
      const pressed = isSecond ? `${first.key} ${event.key}` : event.key;
      const isFirst = Object.keys(keys).some((one) => one.startsWith(`${event.key} `));
      first = isFirst ? { key: event.key, at: event.timeStamp } : { key: '', at: -Infinity };
      const act = keys[pressed];
      if (act === undefined) return;
      event.preventDefault();
      act(event);
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
}

/** Moves to the search box of the page, or to the field that it is searched by, else to the search of everything. */
export function focusSearch(): void {
  const box =
    document.querySelector<HTMLElement>('main [type="search"][data-search]') ??
    document.querySelector<HTMLElement>('main [data-search]') ??
    document.querySelector<HTMLElement>('[data-search]');
  box?.focus();
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/u.test(target.tagName);
}

/** Whether a dialog or a menu lies over the page. */
export function isCovered(): boolean {
  return document.querySelector('[role="dialog"][data-state="open"],[role="menu"]') !== null;
}

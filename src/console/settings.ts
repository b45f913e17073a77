import { useSyncExternalStore } from 'react';

export type Theme = 'system' | 'light' | 'dark';
export type TimeForm = 'relative' | 'utc' | 'local';

/** How this browser shows things: the only thing that is kept in its storage. */
export const theme = keep<Theme>('millrace.theme', ['system', 'light', 'dark']);
export const timeForm = keep<TimeForm>('millrace.times', ['relative', 'utc', 'local']);

const systemDark = matchMedia('(prefers-color-scheme: dark)');

/** Puts the theme on the page, now and whenever it or the system's changes. */
export function applyTheme(): void {
  const apply = (): void => {
    document.documentElement.dataset['theme'] = shownTheme();
  };
  apply();
  theme.subscribe(apply);
  systemDark.addEventListener('change', apply);
}

function shownTheme(): 'light' | 'dark' {
  const chosen = theme.get();
  if (chosen !== 'system') return chosen;
  return systemDark.matches ? 'dark' : 'light';
}

/** The theme in use, `system` resolved. */
export function useShownTheme(): 'light' | 'dark' {
  return useSyncExternalStore((listener) => {
    const off = theme.subscribe(listener);
    systemDark.addEventListener('change', listener);
    return () => {
      off();
      systemDark.removeEventListener('change', listener);
    };
  }, shownTheme);
}

export interface Setting<W> {
  words: readonly W[];
  get(): W;
  set(word: W): void;
  subscribe(listener: () => void): () => void;
}

/** A setting's value, as it changes. */
export function useSetting<W>(setting: Setting<W>): W {
  return useSyncExternalStore(setting.subscribe, setting.get);
}

function keep<W extends string>(name: string, words: readonly [W, ...W[]]): Setting<W> {
  const listeners = new Set<() => void>();
  let value: W = words.find((word) => word === read(name)) ?? words[0];
  return {
    words,
    get: () => value,
    set: (word) => {
      value = word;
      write(name, word);
      listeners.forEach((listener) => listener());
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

function read(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // storage is forbidden here: the default it is
  }
}

function write(name: string, word: string): void {
  try {
    localStorage.setItem(name, word);
  } catch {
    // storage is forbidden here: it holds until the page is left
  }
}

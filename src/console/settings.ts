import { useSyncExternalStore } from 'react';

import type { TimeForm, Zone } from './words.ts';

export type Theme = 'system' | 'light' | 'dark';

/** How this browser shows things. Nothing else is kept in its local storage. */
export const theme = keep<Theme>('millrace.theme', ['system', 'light', 'dark']);
export const timeForm = keep<TimeForm>('millrace.times', ['relative', 'utc', 'local']);

const systemDark = matchMedia('(prefers-color-scheme: dark)');

/** Applies the theme to the page, now and whenever the setting or the system's theme changes. */
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

/** The theme in use: `system` is replaced by the system's theme. */
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

/** The value of a setting; the component is drawn again when it changes. */
export function useSetting<W>(setting: Setting<W>): W {
  return useSyncExternalStore(setting.subscribe, setting.get);
}

/** The zone of times that have no relative form, as the reader has chosen it: UTC, or else the browser's. */
export function useZone(): Zone {
  return useSetting(timeForm) === 'utc' ? 'utc' : 'local';
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
    return null; // storage is forbidden here, so the default applies
  }
}

function write(name: string, word: string): void {
  try {
    localStorage.setItem(name, word);
  } catch {
    // storage is forbidden here, so the setting holds until the page is left
  }
}

import { useEffect, useState } from 'react';

import { parseKept, printKept, type Form } from './keptForm.ts';
const PREFIX = 'millrace.form.';

/**
 * A form whose fields this tab keeps over reloads and walks to other pages, until it is dropped. It
 * begins as `known`, told what was kept, over what was kept, over `blank`.
 */
export function useForm<T extends object>(
  form: Form<T>,
  blank: T,
  known: (kept: Partial<T>) => Partial<T>,
) {
  const [begun] = useState(() => {
    const kept = parseKept(form, read(form.name));
    const from = known(kept ?? {});
    // What the address says by itself is nothing that anyone filled in.
    return { values: { ...blank, ...kept, ...from }, base: { ...blank, ...from }, kept };
  });
  const [values, setValues] = useState<T>(begun.values);
  const [base, setBase] = useState<T>(begun.base);
  const [isRestored, setRestored] = useState(begun.kept !== null);
  const text = printKept(form, values, base);
  useEffect(() => write(form.name, text), [form.name, text]);
  return {
    values,
    set: (change: Partial<T>) => setValues((before) => ({ ...before, ...change })),
    /** Whether it goes on with what was kept. */
    isRestored,
    /** Whether there is anything to start over from. */
    isFilled: text !== null,
    startOver: () => {
      setValues(blank);
      setBase(blank);
      setRestored(false);
    },
    /** Once it is saved. */
    drop: () => write(form.name, null),
  };
}

/** What others may not find when they sign in after whoever signs out. */
export function dropForms(): void {
  try {
    for (const name of Object.keys(sessionStorage)) {
      if (name.startsWith(PREFIX)) sessionStorage.removeItem(name);
    }
  } catch {
    // storage is forbidden here: nothing was kept
  }
}

function read(name: string): string | null {
  try {
    return sessionStorage.getItem(PREFIX + name);
  } catch {
    return null; // storage is forbidden here: it begins anew
  }
}

function write(name: string, text: string | null): void {
  try {
    sessionStorage.removeItem(PREFIX + name);
    if (text !== null) sessionStorage.setItem(PREFIX + name, text);
  } catch {
    // forbidden or full: it holds until the page is left, and nothing older comes back instead
  }
}

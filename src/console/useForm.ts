import { useEffect, useState } from 'react';

import { parseKept, printKept, type Form } from './keptForm.ts';
const PREFIX = 'millrace.form.';

/**
 * A form whose fields this tab keeps over reloads and visits to other pages, until they are dropped. It begins
 * as `blank`, overridden by the kept fields and then by those of `known`, which gets the kept ones.
 */
export function useForm<T extends object>(
  form: Form<T>,
  blank: T,
  known: (kept: Partial<T>) => Partial<T>,
) {
  const [begun] = useState(() => {
    const kept = parseKept(form, read(form.name));
    const from = known(kept ?? {});
    // Fields that come from the address were not filled in by a person, so they alone are not kept.
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
    /** Whether the form began with what was kept. */
    isRestored,
    /** Whether anything differs from the form as it begins, so that starting over makes sense. */
    isFilled: text !== null,
    startOver: () => {
      setValues(blank);
      setBase(blank);
      setRestored(false);
    },
    /** Forgets the kept fields, once the form is saved. */
    drop: () => write(form.name, null),
  };
}

/** Forgets all kept forms, so that the next person who signs in does not find them. */
export function dropForms(): void {
  try {
    for (const name of Object.keys(sessionStorage)) {
      if (name.startsWith(PREFIX)) sessionStorage.removeItem(name);
    }
  } catch {
    // storage is forbidden here, so nothing was kept
  }
}

function read(name: string): string | null {
  try {
    return sessionStorage.getItem(PREFIX + name);
  } catch {
    return null; // storage is forbidden here, so the form begins empty
  }
}

function write(name: string, text: string | null): void {
  try {
    sessionStorage.removeItem(PREFIX + name);
    if (text !== null) sessionStorage.setItem(PREFIX + name, text);
  } catch {
    // forbidden or full: the fields stay until the page is left, and no older ones come back instead
  }
}

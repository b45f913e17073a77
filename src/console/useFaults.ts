import { useEffect, useRef, useState } from 'react';

import type { Faults } from './faults.ts';

/**
 * Says what is wrong with a form beside its fields, once it was to be sent, and gives the first of them the focus; a
 * sentence stays for as long as it is true. `faults`: what is wrong now. `place`: changes when other fields are shown.
 */
export function useFaults(faults: Faults, place?: unknown) {
  const [said, setSaid] = useState<Faults>({});
  const element = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (Object.keys(said).length === 0) return;
    element.current?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus();
  }, [said, place]);
  return {
    /** The form. */
    element,
    /** Whether it may be sent; otherwise what is wrong is said from now on. */
    isSendable: (): boolean => {
      setSaid(faults);
      return Object.keys(faults).length === 0;
    },
    /** What is said of a field, by its pointer. */
    faultAt: (pointer: string): string | undefined =>
      said[pointer] === faults[pointer] ? faults[pointer] : undefined,
  };
}

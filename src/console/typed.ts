import { useEffect, useRef, useState } from 'react';

import { useSettled } from './settled.ts';

/** The text of a search box, which is put into the address once typing has stopped; `kept` is what the address has. */
export function useTyped(kept: string, onSettled: (text: string) => void) {
  const [text, setText] = useState(kept);
  const settled = useSettled(text.trim());
  const known = useRef(kept);
  useEffect(() => {
    if (settled === known.current) return;
    known.current = settled;
    onSettled(settled);
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- only what was typed moves the address
  }, [settled]);
  useEffect(() => {
    if (kept === known.current) return;
    known.current = kept; // someone else has moved the address: filters were cleared
    setText(kept);
  }, [kept]);
  return [text, setText] as const;
}

import { useEffect, useState, type RefObject } from 'react';

import { useSettled } from './settled.ts';

/** Long enough to ignore what is only scrolled past, ms. */
const LOOK_MS = 150;

/** Whether an element has been on the screen for a moment and still is. */
export function useInSight(element: RefObject<Element | null>): boolean {
  const [isInSight, setInSight] = useState(false);
  useEffect(() => {
    if (element.current === null) return;
    const observer = new IntersectionObserver((seen) =>
      setInSight(seen.at(-1)?.isIntersecting === true),
    );
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return useSettled(isInSight, LOOK_MS) && isInSight;
}

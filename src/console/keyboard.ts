import { useNavigate, useRouter } from '@tanstack/react-router';
import { useEffect, type RefObject } from 'react';

import { focusSearch, useKeys } from './keys.ts';
import { PLACES } from './places.ts';

/**
 * The keys that work on every page: `g` and a letter lead to a page, `/` searches, `?` explains the keys. A
 * page that was navigated to gets the focus, so that Tab continues in it and a screen reader begins there,
 * unless something in the page has taken the focus by then.
 */
export function useKeyboard(main: RefObject<HTMLElement | null>, explain: () => void): void {
  const router = useRouter();
  const navigate = useNavigate();
  const goes = PLACES.map(({ to, key }) => [`g ${key}`, () => void navigate({ to })] as const);
  useKeys({
    ...Object.fromEntries(goes),
    '/': focusSearch,
    '?': explain,
  });
  useEffect(
    () =>
      router.subscribe('onRendered', ({ pathChanged, fromLocation }) => {
        if (!pathChanged || fromLocation === undefined) return;
        const { activeElement: active } = document;
        const isLeft = active === null || active === document.body || active.closest('header');
        if (isLeft) main.current?.focus({ preventScroll: true });
      }),
    [router, main],
  );
}

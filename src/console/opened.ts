import { useRouter } from '@tanstack/react-router';
import { useCallback, useRef } from 'react';

/**
 * Opens and closes what the address names, such as a drawer. The back button closes it, as people expect on a
 * phone, and closing it leaves no entry in the history.
 */
export function useOpened(show: (id: string | undefined, replace: boolean) => void) {
  const { history } = useRouter();
  const isStep = useRef(false);
  const latest = useRef(show);
  latest.current = show;
  return useCallback(
    (id: string | undefined): void => {
      if (id === undefined && isStep.current) history.back();
      else latest.current(id, id === undefined);
      isStep.current = id !== undefined;
    },
    [history],
  );
}

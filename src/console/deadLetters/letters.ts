import { useQuery } from '@tanstack/react-query';

import { api } from '../api.ts';
import { useList } from '../queries.ts';

const LOOK_MS = 5_000;

/** The parts of the address that decide which dead letters are listed. */
export interface LetterFilter {
  code?: string | undefined;
  /** The status of the last failure, or `none` for those without an answer. */
  status?: string | undefined;
  /** A record's exact id. */
  record?: string | undefined;
}

/** A consumer's dead letters, read again as they come: groups of all, and a list of those that pass the filter. */
export function useLetters(consumer: string, { code, status, record }: LetterFilter) {
  const groups = useQuery({
    queryKey: ['dead-letters', consumer, 'groups'],
    queryFn: () => api.deadLetters.groups(consumer),
    refetchInterval: LOOK_MS,
  });
  const list = useList(
    ['dead-letters', consumer, 'list', code, status, record],
    (cursor) =>
      api.deadLetters.list(consumer, { limit: 100, cursor, code, status, upstream_id: record }),
    { everyMs: LOOK_MS },
  );
  return { groups: groups.data?.data, list };
}

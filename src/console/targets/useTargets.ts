import { api } from '../api.ts';
import { useList, type ListOptions } from '../queries.ts';

/** Reads the targets with a text in their name, base URL or id, newest first; all for an empty text. */
export function useTargets(q: string, options: ListOptions = {}) {
  return useList(
    ['targets', 'list', q],
    (cursor) => api.targets.list({ cursor, ...(q !== '' && { q }) }),
    options,
  );
}

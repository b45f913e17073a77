import type { StreamName } from '../../schema/stream.ts';
import { useList } from '../queries.ts';
import { cursorSince, readEntries, type Filter, type StreamEntry } from './entry.ts';
/** Where reading begins. */
export const STARTS = ['1h', '1d', '7d', 'beginning'] as const;
export type Start = (typeof STARTS)[number];

/** How many empty pages in a row are passed over, as a filter may leave out much. */
const EMPTY_PAGES = 5;

/** Reads a stream in its order from a start, by its cursor. */
export function useEntries(request: {
  stream: StreamName;
  filter: Filter;
  start: Start;
  enabled: boolean;
}) {
  const { stream, filter, start, enabled } = request;
  return useList<StreamEntry>(
    ['streams', stream, filter, start],
    async (from) => {
      let cursor = from ?? (start === 'beginning' ? undefined : await cursorSince(stream, start));
      for (let empty = 0; empty < EMPTY_PAGES; empty += 1) {
        const page = await readEntries({ stream, filter, cursor });
        if (page.entries.length > 0) return { data: page.entries, next_cursor: page.cursor };
        if (page.cursor === cursor) return { data: [], next_cursor: null };
        ({ cursor } = page);
      }
      return { data: [], next_cursor: cursor ?? null };
    },
    { enabled },
  );
}

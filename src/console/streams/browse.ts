import type { StreamName } from '../../schema/stream.ts';
import { useList } from '../queries.ts';
import {
  cursorSince,
  readEntries,
  type EntryPage,
  type Filter,
  type StreamEntry,
} from './entry.ts';
import type { Start } from './starts.ts';

/** How many empty pages in a row are passed over, as a filter may leave out much. */
const EMPTY_PAGES = 5;

/** Reads a stream from a start, by its cursor: newest first from `newest`, else oldest first. */
export function useEntries(request: { stream: StreamName; filter: Filter; start: Start }) {
  const { stream, filter, start } = request;
  return useList<StreamEntry>(['streams', stream, filter, start], async (from) => {
    let cursor = from ?? (await placeOf(stream, start));
    for (let empty = 0; empty < EMPTY_PAGES; empty += 1) {
      const page = await pageFrom(request, cursor);
      if (page.entries.length > 0) return { data: page.entries, next_cursor: page.cursor };
      if (page.cursor === cursor) return { data: [], next_cursor: null };
      ({ cursor } = page);
    }
    return { data: [], next_cursor: cursor ?? null };
  });
}

function placeOf(stream: StreamName, start: Start): Promise<string> | string | undefined {
  if (start === 'newest') return 'end';
  return start === 'beginning' ? undefined : cursorSince(stream, start);
}

function pageFrom(
  { stream, filter, start }: { stream: StreamName; filter: Filter; start: Start },
  cursor: string | undefined,
): Promise<EntryPage> {
  const place = start === 'newest' ? { before: cursor } : { cursor };
  return readEntries({ stream, filter, ...place });
}

import { useQuery } from '@tanstack/react-query';

import type { Page } from '../../api/client.ts';
import { api } from '../api.ts';
import { useRefusal } from '../session.ts';
import type { Option } from '../ui/combobox.tsx';
import { amount } from '../words.ts';

const PAGES = 5;

/** Syncs, collections and providers that have appeared in the streams, the newest 5,000, to choose from. */
export function useSeen(sync: string | undefined) {
  const enabled = useRefusal('read') === null;
  const syncs = useQuery({
    queryKey: ['syncs', 'seen'],
    enabled,
    queryFn: () => readAll((cursor) => api.syncs({ limit: 1_000, cursor })),
    staleTime: 30_000,
  });
  const collections = useQuery({
    queryKey: ['collections', 'seen', sync],
    enabled,
    queryFn: () => readAll((cursor) => api.collections({ limit: 1_000, cursor, sync_id: sync })),
    staleTime: 30_000,
  });
  const seen = collections.data ?? [];
  return {
    syncs: (syncs.data ?? []).map(({ sync_id, name, events, records }): Option => ({
      value: sync_id,
      about: [name ?? '', `${amount(events, 'event')}, ${amount(records, 'record')}`]
        .filter((part) => part !== '')
        .join(' · '),
    })),
    collections: counted(seen.map((one) => [one.collection_id, one.events] as const)),
    providers: counted(seen.map((one) => [one.provider, one.events] as const)),
    isLoading: syncs.isPending || collections.isPending,
  };
}

/** Each value once, with the sum of its counts. */
function counted(pairs: (readonly [value: string, events: number])[]): Option[] {
  const sums = new Map<string, number>();
  for (const [value, events] of pairs) sums.set(value, (sums.get(value) ?? 0) + events);
  return [...sums].map(([value, sum]) => ({ value, about: amount(sum, 'event') }));
}

async function readAll<T>(read: (cursor: string | undefined) => Promise<Page<T>>): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | undefined;
  for (let count = 0; count < PAGES; count += 1) {
    const page = await read(cursor);
    all.push(...page.data);
    if (page.next_cursor === null) break;
    cursor = page.next_cursor;
  }
  return all;
}

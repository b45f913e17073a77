import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import type { Page } from '../../api/client.ts';
import type { Filter } from '../../schema/consumer.ts';
import type { StreamName } from '../../schema/stream.ts';
import { api } from '../api.ts';
import { ListPicker, type Choice } from '../ui/listPicker.tsx';
import { Hint } from '../ui/notice.tsx';
import { amount } from '../words.ts';

type Lists = Pick<Filter, 'syncs' | 'collections' | 'event_types'>;

interface Props {
  filter: Lists;
  onChange: (change: Partial<Lists>) => void;
  stream: StreamName;
}

/** Chooses syncs; all that the streams have seen can be searched. */
export function SyncsField({ filter, onChange, stream }: Props) {
  const { data, isPending } = useQuery({
    queryKey: ['syncs', 'all'],
    queryFn: () => readAll((cursor) => api.syncs({ limit: 1_000, cursor })),
    staleTime: 30_000,
  });
  const choices = useMemo(
    () =>
      (data ?? []).map((sync): Choice => ({
        value: sync.sync_id,
        about: [sync.name, amount(sync[stream], stream.slice(0, -1), stream)]
          .filter((part) => part !== null)
          .join(' · '),
      })),
    [data, stream],
  );
  return (
    <ListPicker
      what="syncs"
      chosen={filter.syncs}
      onChange={(syncs) => onChange({ syncs })}
      choices={choices}
      isLoading={isPending}
    />
  );
}

/** Chooses collections: those seen in any sync, or one typed as `provider:name`. */
export function CollectionsField({ filter, onChange, stream }: Props) {
  const { data, isPending } = useQuery({
    queryKey: ['collections', 'all'],
    queryFn: () => readAll((cursor) => api.collections({ limit: 1_000, cursor })),
    staleTime: 30_000,
  });
  const choices = useMemo(() => {
    const counts = new Map<string, number>();
    for (const one of data ?? []) {
      counts.set(one.collection_id, (counts.get(one.collection_id) ?? 0) + one[stream]);
    }
    return [...counts].map(([value, count]): Choice => ({
      value,
      about: amount(count, stream.slice(0, -1), stream),
    }));
  }, [data, stream]);
  return (
    <ListPicker
      what="collections"
      chosen={filter.collections}
      onChange={(collections) => onChange({ collections })}
      choices={choices}
      isLoading={isPending}
      refuse={(text) =>
        /^[^:]+:.+$/u.test(text)
          ? null
          : 'A collection is provider:name, for example stripe:customer'
      }
    />
  );
}

const TYPES: Choice[] = [
  { value: 'created', about: 'a new record' },
  { value: 'updated', about: 'a changed record' },
  { value: 'deleted', about: 'a deleted record' },
];

/** Chooses event types, which records do not have. */
export function EventTypesField({ filter, onChange, stream }: Props) {
  if (stream === 'records') {
    return (
      <Hint>
        Event types do not apply to the records stream: it holds the latest version of each record,
        and deleted records have <code>deleted: true</code>.
      </Hint>
    );
  }
  return (
    <ListPicker
      what="event types"
      chosen={filter.event_types}
      onChange={(event_types) => onChange({ event_types })}
      choices={TYPES}
      isOpen={false}
    />
  );
}

/** A list of twice what a filter may hold is long enough; further values can be typed. */
const MOST = 20_000;

async function readAll<T>(read: (cursor: string | undefined) => Promise<Page<T>>): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    all.push(...page.data);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined && all.length < MOST);
  return all;
}

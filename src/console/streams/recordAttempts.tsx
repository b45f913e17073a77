import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import type { Consumer } from '../../schema/consumer.ts';
import type { SearchHit } from '../../schema/search.ts';
import { api } from '../api.ts';
import { Failed, Loading } from '../ui/notice.tsx';
import type { StreamEntry } from './entry.ts';
import { EventAttempts } from './eventAttempts.tsx';

type EventHit = Extract<SearchHit, { kind: 'event' }>;

/** Whether a record was delivered: the attempts at its newest event, and who sends it from the records stream. */
export function RecordAttempts({ record }: { record: StreamEntry }) {
  const { sync_id, collection_id, upstream_id, version_id } = record;
  const { data, error, refetch } = useQuery({
    queryKey: ['event', 'newest of', sync_id, collection_id, upstream_id, version_id],
    queryFn: async () => (await readEvents(record))[0] ?? null,
  });
  return (
    <>
      {data === undefined && error === null && <Loading what="its newest event" />}
      {data === undefined && error !== null && (
        <Failed error={error} again={() => void refetch()} />
      )}
      {data === null && (
        <p className="text-soft">
          None of its events is among the newest 10,000. On the page of a consumer or a target, the
          filter “Record” finds the deliveries of it.
        </p>
      )}
      {data != null && (
        <EventAttempts
          eventId={data.event_id}
          title={
            <>
              Attempts of all consumers at its newest event,{' '}
              <Link to="/streams" search={{ entry: data.event_id }} className="underline">
                {data.event}
              </Link>
            </>
          }
        />
      )}
      <OfRecords record={record} />
    </>
  );
}

/** The events of the record, newest first; a record of another sync may have the same id. */
async function readEvents({
  sync_id,
  collection_id,
  upstream_id,
}: StreamEntry): Promise<EventHit[]> {
  const { data } = await api.search(upstream_id, MOST_HITS);
  return data.filter(
    (hit): hit is EventHit =>
      hit.kind === 'event' &&
      hit.sync_id === sync_id &&
      hit.collection_id === collection_id &&
      hit.upstream_id === upstream_id,
  );
}

const MOST_HITS = 20;
const LOOKED_AT = 100;

/** The consumers whose filter lets the record through on the records stream, each with its deliveries of it. */
function OfRecords({ record }: { record: StreamEntry }) {
  const { data } = useQuery({
    queryKey: ['consumers', 'of records'],
    queryFn: () => api.consumers.list({ limit: LOOKED_AT }),
    staleTime: 10_000,
  });
  const found = (data?.data ?? []).filter((consumer) => sends(consumer, record));
  if (found.length === 0) return null;
  return (
    <section className="flex flex-col gap-2">
      <h3 className="font-medium">Deliveries of this record from the records stream</h3>
      <ul className="flex flex-col gap-1">
        {found.map(({ id, name }) => (
          <li key={id}>
            <Link
              to="/consumers/$id"
              params={{ id }}
              search={{ record: record.upstream_id }}
              className="foreign line-clamp-2 underline"
            >
              {name}
            </Link>
          </li>
        ))}
      </ul>
      {data?.next_cursor != null && (
        <p className="text-xs text-soft">Only the newest {LOOKED_AT} consumers are looked at.</p>
      )}
    </section>
  );
}

function sends({ stream, syncs, collections }: Consumer, record: StreamEntry): boolean {
  const lets = (list: readonly string[], value: string): boolean =>
    list[0] === '*' || list.includes(value);
  return (
    stream === 'records' && lets(syncs, record.sync_id) && lets(collections, record.collection_id)
  );
}

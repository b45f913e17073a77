import { useQuery } from '@tanstack/react-query';

import { ChangedFields } from '../consumers/changedFields.tsx';
import { prettyValue } from '../pretty.ts';
import { Code } from '../ui/copyText.tsx';
import { Drawer } from '../ui/dialog.tsx';
import { Failed, Loading } from '../ui/notice.tsx';
import { Facts } from '../ui/panel.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { number } from '../words.ts';
import { idOf, positionOf, readEvent, timeOf, typeOf, type StreamEntry } from './entry.ts';
import { EventAttempts } from './eventAttempts.tsx';

/** One event by its id, which a link may carry. */
export function EventDrawer(props: {
  id: string;
  known: StreamEntry | undefined;
  onClose: () => void;
}) {
  const { data, error, refetch } = useQuery({
    queryKey: ['event', props.id],
    queryFn: () => readEvent(props.id),
    staleTime: Infinity, // events do not change
    initialData: props.known,
  });
  if (data !== undefined) return <EntryDrawer entry={data} onClose={props.onClose} />;
  return (
    <Drawer open onClose={props.onClose} title={`Event ${props.id}`}>
      {error === null ? (
        <Loading what="the event" />
      ) : (
        <Failed error={error} again={() => void refetch()} />
      )}
    </Drawer>
  );
}

/** One entry of a stream: its position, what it changed, and the consumers to which it was sent. */
export function EntryDrawer({ entry, onClose }: { entry: StreamEntry; onClose: () => void }) {
  const isEvent = entry.event_id !== undefined;
  return (
    <Drawer
      open
      onClose={onClose}
      title={
        <span className="line-clamp-2">
          {isEvent ? typeOf(entry) : 'record'}: {entry.upstream_id}
        </span>
      }
      description={entry.collection_id}
    >
      <Facts
        facts={[
          ['Position', number(positionOf(entry))],
          ['Record', <code key="record">{entry.upstream_id}</code>],
          ['Collection', <code key="collection">{entry.collection_id}</code>],
          ['Sync', <code key="sync">{entry.sync_id}</code>],
          [isEvent ? 'Event' : 'Version', <code key="id">{idOf(entry)}</code>],
          ['Appended', <TimeText key="at" at={timeOf(entry)} />],
          entry.created_at === undefined
            ? null
            : ['First seen', <TimeText key="created" at={entry.created_at} />],
          entry.upstream_updated_at === null
            ? null
            : ['Changed upstream', <TimeText key="up" at={entry.upstream_updated_at} />],
          entry.deleted === undefined ? null : ['Deleted', entry.deleted ? 'yes' : 'no'],
        ]}
      />
      <ChangedFields text={prettyValue(entry)} />
      <Code label="Data" text={prettyValue(entry.data)} />
      {isEvent && <EventAttempts eventId={idOf(entry)} />}
      <details>
        <summary className="text-soft">The whole entry as JSON</summary>
        <Code label={isEvent ? 'Event' : 'Record'} text={prettyValue(entry)} />
      </details>
    </Drawer>
  );
}

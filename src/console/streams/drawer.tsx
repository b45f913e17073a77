import { useQuery } from '@tanstack/react-query';

import { ChangedFields } from '../consumers/changedFields.tsx';
import { prettyValue } from '../pretty.ts';
import { Code } from '../ui/copyText.tsx';
import { Drawer } from '../ui/dialog.tsx';
import { Failed, Hint, Loading } from '../ui/notice.tsx';
import { Facts } from '../ui/panel.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { number } from '../words.ts';
import {
  idOf,
  positionOf,
  readEntries,
  readEvent,
  timeOf,
  typeOf,
  type StreamEntry,
} from './entry.ts';
import { EventAttempts } from './eventAttempts.tsx';
import { RecordAttempts } from './recordAttempts.tsx';

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

/** One record by its version and the cursor after which the stream has it, as a search finds it. */
export function RecordDrawer(props: { versionId: string; cursor: string; onClose: () => void }) {
  const { versionId, cursor, onClose } = props;
  const { data, error, refetch } = useQuery({
    queryKey: ['record', versionId],
    queryFn: async () => {
      const page = await readEntries({ stream: 'records', filter: {}, cursor, limit: 1 });
      return page.entries.find((one) => one.version_id === versionId) ?? null;
    },
  });
  if (data !== undefined && data !== null) return <EntryDrawer entry={data} onClose={onClose} />;
  return (
    <Drawer open onClose={onClose} title={`Record, version ${versionId}`}>
      {data === null && (
        <Hint tone="warn">
          The record has changed since it was found: this version is no longer the latest. Search
          for it again to see it as it is now.
        </Hint>
      )}
      {data === undefined && error === null && <Loading what="the record" />}
      {data === undefined && error !== null && (
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
      {isEvent ? <EventAttempts eventId={idOf(entry)} /> : <RecordAttempts record={entry} />}
      <details>
        <summary className="text-soft">The whole entry as JSON</summary>
        <Code label={isEvent ? 'Event' : 'Record'} text={prettyValue(entry)} />
      </details>
    </Drawer>
  );
}

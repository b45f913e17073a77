import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';

import type { StreamName } from '../../schema/stream.ts';
import { ActButton } from '../act.tsx';
import type { StreamsSearch as Search } from '../latePages.ts';
import { useOpened } from '../opened.ts';
import type { List } from '../queries.ts';
import { useEntries } from '../streams/browse.ts';
import { EntryDrawer, EventDrawer, RecordDrawer } from '../streams/drawer.tsx';
import type { StreamEntry } from '../streams/entry.ts';
import { Filters } from '../streams/filters.tsx';
import { SampleDialog } from '../streams/sample.tsx';
import type { Start } from '../streams/starts.ts';
import { EntryTable } from '../streams/table.tsx';
import { KEPT, useTail, type Tail } from '../streams/tail.ts';
import { withTail } from '../streams/withTail.ts';
import { Button } from '../ui/button.tsx';
import { PageHead } from '../ui/panel.tsx';
import { Tabs } from '../ui/tabs.tsx';

/** The appended records and events, by their cursor or as they come. */
export function StreamsPage() {
  const search = useSearch({ from: '/inside/streams' });
  const navigate = useNavigate();
  const set = (change: Search, replace = true): void =>
    void navigate({ to: '/streams', search: { ...search, ...change }, replace });
  const onOpen = useOpened((entry, replace) => set({ entry }, replace));
  const [isSending, setSending] = useState(false);
  const stream = search.stream ?? 'events';
  const tab = (id: StreamName, title: string) => ({
    id,
    title,
    content:
      id === stream ? (
        <Stream
          key={id}
          stream={id}
          search={search}
          set={set}
          onOpen={onOpen}
          onSample={() => setSending(true)}
        />
      ) : null,
  });
  return (
    <>
      <PageHead
        title="Streams"
        below={<p className="text-soft">Every entry that was appended, in order, with its data.</p>}
      >
        <Button
          aria-pressed={search.live === '1'}
          kind={search.live === '1' ? 'main' : 'plain'}
          onClick={() => set({ live: search.live === '1' ? undefined : '1' })}
        >
          {search.live === '1' ? '● Stop following' : '○ Follow live'}
        </Button>
        <ActButton
          needs="ingest"
          kind={search.live === '1' ? 'plain' : 'main'}
          onClick={() => setSending(true)}
        >
          Send a sample…
        </ActButton>
      </PageHead>
      <Tabs
        label="Streams"
        chosen={stream}
        onChoose={(next) =>
          set({
            stream: next,
            event: undefined,
            entry: undefined,
            record: undefined,
            at: undefined,
          })
        }
        tabs={[tab('events', 'Events'), tab('records', 'Records')]}
      />
      {isSending && (
        <SampleDialog
          sync={search.sync}
          collection={search.collection}
          onClose={() => setSending(false)}
        />
      )}
    </>
  );
}

function Stream(props: {
  stream: StreamName;
  search: Search;
  set: (change: Search) => void;
  onOpen: (entry: string | undefined) => void;
  onSample: () => void;
}) {
  const { stream, search, set, onOpen } = props;
  const { sync, provider, collection, event } = search;
  const filter = { sync, provider, collection, event };
  const isLive = search.live === '1';
  const start = isLive ? 'newest' : (search.from ?? 'newest');
  const read = useEntries({ stream, filter, start });
  const tail = useTail({ stream, filter, isOn: isLive });
  const [record, setRecord] = useState<StreamEntry | null>(null);
  const list = start === 'newest' ? shownList(read, tail, isLive) : read;
  const open = (entry: StreamEntry): void => {
    if (entry.event_id === undefined) setRecord(entry);
    else onOpen(entry.event_id);
  };
  const isFiltered = Object.values(filter).some((value) => value !== undefined);
  const sample = (
    <ActButton needs="ingest" onClick={props.onSample}>
      Send a sample…
    </ActButton>
  );
  return (
    <>
      <Filters stream={stream} filter={filter} start={start} isLive={isLive} onChange={set} />
      {isLive && (
        <p role="status" className="text-soft">
          Following {stream}, newest first: new entries come on top.
        </p>
      )}
      <EntryTable
        stream={stream}
        list={list}
        onOpen={open}
        isFiltered={isFiltered && !isLive}
        onClearFilters={() =>
          set({ sync: undefined, provider: undefined, collection: undefined, event: undefined })
        }
        empty={
          isLive
            ? {
                title: `Waiting for ${stream}`,
                text: 'New entries that match the filters appear here immediately.',
                action: sample,
              }
            : {
                title: isPart(start) ? `No ${stream} in this period` : `No ${stream} yet`,
                text: 'Append entries with POST /v1/events or /v1/records, with millrace import, or by sending a sample.',
                action: (
                  <>
                    {isPart(start) && (
                      <Button onClick={() => set({ from: undefined })}>Show the newest</Button>
                    )}
                    {sample}
                  </>
                ),
              }
        }
      />
      {search.entry !== undefined && (
        <EventDrawer
          key={search.entry}
          id={search.entry}
          known={list.rows.find((one) => one.event_id === search.entry)}
          onClose={() => onOpen(undefined)}
        />
      )}
      {stream === 'records' && search.record !== undefined && search.at !== undefined && (
        <RecordDrawer
          key={search.record}
          versionId={search.record}
          cursor={search.at}
          onClose={() => set({ record: undefined, at: undefined })}
        />
      )}
      {record !== null && <EntryDrawer entry={record} onClose={() => setRecord(null)} />}
    </>
  );
}

/** Whether only a part of the stream is read. */
function isPart(start: Start): boolean {
  return start !== 'newest' && start !== 'beginning';
}

/** The list with what came since on top. When so much came that some is left out, nothing older is shown below it. */
function shownList(
  read: List<StreamEntry>,
  { entries, error, again }: Tail,
  isLive: boolean,
): List<StreamEntry> {
  if (entries.length === 0 && error === null) return isLive ? waiting(read) : read;
  const isFull = entries.length >= KEPT;
  return {
    ...read,
    rows: isFull ? entries : withTail(entries, read.rows),
    error: error instanceof Error ? error : read.error,
    again: error === null ? read.again : again,
    hasMore: read.hasMore && !isFull,
  };
}

/** Where nothing that is read matches, older entries need not be searched to wait for new ones. */
function waiting(read: List<StreamEntry>): List<StreamEntry> {
  return read.rows.length === 0 ? { ...read, hasMore: false } : read;
}

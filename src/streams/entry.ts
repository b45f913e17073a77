import type { Filter } from '../schema/consumer.ts';
import type { EventType, StreamName } from '../schema/stream.ts';
import { traceparentOf } from './entryTrace.ts';

/** One entry of a stream, ready to be sent: its body is spliced from stored text, never parsed. */
export interface Entry {
  position: number;
  /** The webhook's id: the `event_id` of an event, the `version_id` of a record. */
  messageId: string;
  syncId: string;
  collectionId: string;
  upstreamId: string;
  /** Null on the records stream. */
  event: EventType | null;
  /** The server's time when it was stored, RFC 3339. */
  at: string;
  /** The webhook's body: `{"event":{…}}` or `{"record":{…}}`. */
  body: string;
  bytes: number;
  /** On the records stream: whether a newer version of the record has been read since. */
  superseded: boolean;
  /** The `traceparent` with which it was appended; null: none. */
  traceparent: string | null;
}

/** Stands in the place of an entry that is not needed any more. */
export const NO_ENTRY: Entry = {
  position: 0,
  messageId: '',
  syncId: '',
  collectionId: '',
  upstreamId: '',
  event: null,
  at: '',
  body: '',
  bytes: 0,
  superseded: false,
  traceparent: null,
};

/** Which entries to read, and how much of them. */
export interface PageRequest {
  stream: StreamName;
  /** The position after which reading starts. */
  after: number;
  /** The last position to read; the stream's end unless given. */
  until?: number;
  filter: Filter;
  /** Reads only collections of this provider. */
  provider?: string;
  limit: number;
  /** A bound on the bytes of stored text. The entry that exceeds it is still returned, so there is at least one. */
  maxBytes: number;
  /** How many rows one page scans when no index alone can answer the filter. */
  scanRows: number;
}

/** A part of a stream. All its members are of one snapshot. */
export interface Page {
  entries: Entry[];
  /** Everything in (after, scannedTo] has been scanned. */
  scannedTo: number;
  /** The stream's last position. */
  last: number;
  /** The first position that retention has not dropped. */
  first: number;
}

/** The parts of an entry that filters use. */
export interface EntryKey {
  position: number;
  syncId: string;
  collectionId: string;
  event: EventType | null;
}

/** The columns that `ENTRY_OF` reads, in its order. */
export const COLUMNS = {
  events:
    'position, event_id, event, sync_id, collection_id, upstream_id, data, size, event_inserted_at, upstream_updated_at, changes, traceparent',
  records:
    'position, version_id, deleted, sync_id, collection_id, upstream_id, data, size, updated_at, upstream_updated_at, upstream_created_at, created_at, traceparent',
} as const;

/**
 * Turns a row into an entry, reading the columns from index `from` on. Each line of a body is a
 * field and begins with the quote that closes the field before it: a separate quote would cost one
 * more string for each entry.
 */
export const ENTRY_OF: Record<StreamName, (row: unknown[], from: number) => Entry> = {
  events: toEvent,
  records: toRecord,
};

function toEvent(row: unknown[], from: number): Entry {
  const [position, eventId, event, syncId, collectionId, upstreamId, data, size, at, upstreamAt] =
    row.slice(from) as [
      number,
      string,
      EventType,
      string,
      string,
      string,
      string,
      number,
      string,
      string | null,
    ];
  const changes = row[from + 10] as string | null;
  const body =
    `{"event":{"event_id":"${eventId}` +
    `","event":"${event}` +
    `","sync_id":${JSON.stringify(syncId)}` +
    `,"collection_id":${JSON.stringify(collectionId)}` +
    `,"upstream_id":${JSON.stringify(upstreamId)}` +
    `,"data":${data}` +
    `,"changes":${changes ?? 'null'}` +
    `,"upstream_updated_at":${quoted(upstreamAt)}` +
    `,"event_inserted_at":"${at}` +
    `","position":${position}}}`;
  const bytes = size + body.length - data.length - (changes?.length ?? 0);
  return {
    position,
    messageId: eventId,
    syncId,
    collectionId,
    upstreamId,
    event,
    at,
    body,
    bytes,
    superseded: false,
    traceparent: traceparentOf(row[from + 11] as Buffer | null),
  };
}

function toRecord(row: unknown[], from: number): Entry {
  const [
    position,
    versionId,
    deleted,
    syncId,
    collectionId,
    upstreamId,
    data,
    size,
    at,
    upstreamAt,
  ] = row.slice(from) as [
    number,
    string,
    boolean,
    string,
    string,
    string,
    string,
    number,
    string,
    string | null,
  ];
  const upstreamCreatedAt = row[from + 10] as string | null;
  const createdAt = row[from + 11] as string;
  const body =
    `{"record":{"sync_id":${JSON.stringify(syncId)}` +
    `,"collection_id":${JSON.stringify(collectionId)}` +
    `,"upstream_id":${JSON.stringify(upstreamId)}` +
    `,"version_id":"${versionId}` +
    `","updated_idx":${position}` +
    `,"data":${data}` +
    `,"deleted":${deleted}` +
    `,"upstream_created_at":${quoted(upstreamCreatedAt)}` +
    `,"upstream_updated_at":${quoted(upstreamAt)}` +
    `,"created_at":"${createdAt}` +
    `","updated_at":"${at}"}}`;
  const bytes = size + body.length - data.length;
  return {
    position,
    messageId: versionId,
    syncId,
    collectionId,
    upstreamId,
    event: null,
    at,
    body,
    bytes,
    superseded: false,
    traceparent: traceparentOf(row[from + 12] as Buffer | null),
  };
}

function quoted(time: string | null): string {
  return time === null ? 'null' : `"${time}"`;
}

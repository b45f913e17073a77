import type { Filter } from '../schema/consumer.ts';
import type { EventType, StreamName } from '../schema/stream.ts';

/** One entry of a stream, ready to be sent: its body is spliced from stored text, never parsed. */
export interface Entry {
  position: number;
  /** `event_id` or `version_id`: the webhook's id. */
  messageId: string;
  syncId: string;
  collectionId: string;
  upstreamId: string;
  /** Null on the records stream. */
  event: EventType | null;
  /** Server time, RFC 3339. */
  at: string;
  /** The webhook's body: `{"event":{…}}` or `{"record":{…}}`. */
  body: string;
  bytes: number;
  /** Records stream: the record is known to have moved above this position since it was read. */
  superseded: boolean;
}

export interface PageRequest {
  stream: StreamName;
  /** Exclusive. */
  after: number;
  /** Inclusive; without it, the stream's end. */
  until?: number;
  filter: Filter;
  /** Only collections of this provider. */
  provider?: string;
  limit: number;
  /** Of stored text; the entry that passes the bound is still returned, and at least one. */
  maxBytes: number;
  /** Rows looked at by one page where the filter cannot be answered from an index alone. */
  scanRows: number;
}

export interface Page {
  entries: Entry[];
  /** Everything in (after, scannedTo] was looked at. */
  scannedTo: number;
  /** The stream's last position, of the same snapshot. */
  last: number;
  /** The first position that retention has left, of the same snapshot. */
  first: number;
}

export interface EntryKey {
  position: number;
  syncId: string;
  collectionId: string;
  event: EventType | null;
}

export const COLUMNS = {
  events:
    'position, event_id, event, sync_id, collection_id, upstream_id, data, size, event_inserted_at, upstream_updated_at, changes',
  records:
    'position, version_id, deleted, sync_id, collection_id, upstream_id, data, size, updated_at, upstream_updated_at, upstream_created_at, created_at',
} as const;

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
    `{"event":{"event_id":"${eventId}","event":"${event}"` +
    `,"sync_id":${JSON.stringify(syncId)}` +
    `,"collection_id":${JSON.stringify(collectionId)}` +
    `,"upstream_id":${JSON.stringify(upstreamId)}` +
    `,"data":${data},"changes":${changes ?? 'null'}` +
    `,"upstream_updated_at":${quoted(upstreamAt)}` +
    `,"event_inserted_at":"${at}","position":${position}}}`;
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
    `,"version_id":"${versionId}","updated_idx":${position}` +
    `,"data":${data},"deleted":${deleted}` +
    `,"upstream_created_at":${quoted(upstreamCreatedAt)}` +
    `,"upstream_updated_at":${quoted(upstreamAt)}` +
    `,"created_at":"${createdAt}","updated_at":"${at}"}}`;
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
  };
}

function quoted(time: string | null): string {
  return time === null ? 'null' : `"${time}"`;
}

import { plainArray, textArray, textParameter } from '../db/arrayLiteral.ts';
import { CHANNELS } from '../db/channels.ts';
import type { Query } from '../db/db.ts';
import type { NewEvent, RecordKey, RecordState, RecordVersion } from './derive.ts';
import { traceParts } from './entryTrace.ts';

/** The answer to `insertEvents`. */
export interface EventsInserted {
  /** If the event at index i is new, its position is base + i + 1. */
  base: number;
  /** The positions of the events whose id was new; null: all were new. */
  fresh: number[] | null;
}

/**
 * Inserts events in one statement: it locks the stream's row (so that commit order is position
 * order), enters the ids, inserts the events whose id is new and notifies listeners once. A duplicate
 * leaves a gap in the positions. Without an event that has a trace, nothing is said of traces.
 */
export function insertEvents(events: readonly NewEvent[]): Query {
  const column = (of: (event: NewEvent) => string | null): Buffer => textParameter(events.map(of));
  const trace = traceParts(events, '$11');
  return {
    name: `insert-events${trace.name}`,
    text: `
      with line as (
        update streams
           set last_position = last_position + $1,
               last_at       = greatest(last_at, clock_timestamp())
         where name = 'events'
        returning last_position as last, last_position - $1 as base, last_at
      ), ids as (
        insert into event_ids (event_id, position)
        select event_id, base + n from line, unnest($2::text[]) with ordinality as input (event_id, n)
        on conflict do nothing
        returning position
      ), inserted as (
        insert into events (position, event_id, event, sync_id, collection_id, upstream_id, data,
                            changes, size, upstream_updated_at, event_inserted_at${trace.column})
        select base + n, event_id, event, sync_id, collection_id, upstream_id, data,
               changes, size, upstream_updated_at, last_at${trace.value}
          from line,
               unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                      $8::text[], $9::integer[], $10::timestamptz[]${trace.parameter})
               with ordinality as input (event_id, event, sync_id, collection_id, upstream_id, data,
                                         changes, size, upstream_updated_at${trace.input}, n)
         where (base + n in (select position from ids)) is true -- hashed, never a join
      )
      select base,
             case when (select count(*) from ids) < $1 then array(select position from ids) end as fresh,
             pg_notify('${CHANNELS.events}', last::text)
        from line`,
    values: [
      events.length,
      column((event) => event.eventId),
      column((event) => event.event),
      column((event) => event.syncId),
      column((event) => event.collectionId),
      column((event) => event.upstreamId),
      column((event) => event.data),
      column((event) => event.changes),
      plainArray(events.map(({ data, changes }) => sizeOf(data) + sizeOf(changes ?? ''))),
      textArray(events.map((event) => event.upstreamUpdatedAt)),
      ...trace.values,
    ],
  };
}

/**
 * Moves records to the end of their stream, in the given order; the stream's row has to be locked. A version that has no
 * trace takes away that of the one before.
 */
export function upsertRecords(records: readonly RecordVersion[]): Query {
  const column = (of: (record: RecordVersion) => string | null): Buffer =>
    textParameter(records.map(of));
  const trace = traceParts(records, '$11');
  return {
    name: `upsert-records${trace.name}`,
    text: `
      with line as (
        update streams
           set last_position = last_position + $1,
               last_at       = greatest(last_at, clock_timestamp())
         where name = 'records'
        returning last_position as last, last_position - $1 as base, last_at
      ), upserted as (
        insert into records (sync_id, collection_id, upstream_id, position, version_id, data, size,
                             deleted, upstream_created_at, upstream_updated_at, created_at, updated_at${trace.column})
        select sync_id, collection_id, upstream_id, base + n, version_id, data, size,
               deleted, upstream_created_at, upstream_updated_at, last_at, last_at${trace.value}
          from line,
               unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::integer[],
                      $8::boolean[], $9::timestamptz[], $10::timestamptz[]${trace.parameter})
               with ordinality as input (sync_id, collection_id, upstream_id, version_id, data, size,
                                         deleted, upstream_created_at, upstream_updated_at${trace.input}, n)
        on conflict (sync_id, collection_id, upstream_id) do update
           set position            = excluded.position,
               version_id          = excluded.version_id,
               data                = excluded.data,
               size                = excluded.size,
               deleted             = excluded.deleted,
               upstream_created_at = excluded.upstream_created_at,
               upstream_updated_at = excluded.upstream_updated_at,
               updated_at          = excluded.updated_at,
               traceparent         = excluded.traceparent
      )
      select pg_notify('${CHANNELS.records}', last::text) from line`,
    values: [
      records.length,
      column((record) => record.syncId),
      column((record) => record.collectionId),
      column((record) => record.upstreamId),
      column((record) => record.versionId),
      column((record) => record.data),
      plainArray(records.map(({ data }) => sizeOf(data))),
      plainArray(records.map(({ deleted }) => deleted)),
      textArray(records.map((record) => record.upstreamCreatedAt)),
      textArray(records.map((record) => record.upstreamUpdatedAt)),
      ...trace.values,
    ],
  };
}

/** Locks the stream's row, so that other appends wait until the transaction ends; returns its last position. */
export function lockLine(stream: 'records' | 'events'): Query {
  return {
    name: `lock-${stream}`,
    text: `select last_position from streams where name = '${stream}' for update`,
  };
}

/** Selects the stored records of the given keys, each once even if its key is given twice. */
export function selectRecords(keys: readonly RecordKey[]): Query {
  return {
    name: 'select-records',
    text: `
      select distinct on (r.position)
             r.sync_id, r.collection_id, r.upstream_id, r.data, r.deleted,
             r.upstream_created_at, r.upstream_updated_at
        from unnest($1::text[], $2::text[], $3::text[]) as key (sync_id, collection_id, upstream_id)
        join records r using (sync_id, collection_id, upstream_id)`,
    values: [
      textParameter(keys.map((key) => key.syncId)),
      textParameter(keys.map((key) => key.collectionId)),
      textParameter(keys.map((key) => key.upstreamId)),
    ],
  };
}

/** The same with the position of each record. */
export function selectRecordsWithPositions(keys: readonly RecordKey[]): Query {
  const { text, values } = selectRecords(keys);
  return {
    name: 'select-records-with-positions',
    text: text.replace('r.sync_id,', 'r.position, r.sync_id,'),
    ...(values === undefined ? {} : { values }),
  };
}

/** Reads a row of a stored record. */
export function toRecordState(row: Record<string, unknown>): RecordState {
  return {
    syncId: row['sync_id'] as string,
    collectionId: row['collection_id'] as string,
    upstreamId: row['upstream_id'] as string,
    data: row['data'] as string,
    deleted: row['deleted'] as boolean,
    upstreamCreatedAt: row['upstream_created_at'] as string | null,
    upstreamUpdatedAt: row['upstream_updated_at'] as string | null,
  };
}

/** Selects which of the ids are stored, and at which positions. */
export function selectEventIds(ids: readonly string[]): Query {
  return {
    name: 'select-event-ids',
    text: 'select event_id, position from event_ids where event_id = any($1::text[])',
    values: [textParameter(ids)],
  };
}

/** The bytes that a text takes when it is stored and sent. */
function sizeOf(text: string): number {
  return Buffer.byteLength(text);
}

import { z } from 'zod';

import {
  SyncId,
  CollectionId,
  UpstreamId,
  Data,
  Timestamp,
  Position,
  Metadata,
  Uuid,
} from './fields.ts';
import { TRACEPARENT } from './traceparent.ts';

/** `records` holds the latest version of each record, `events` every change. */
export const StreamName = z
  .enum(['records', 'events'])
  .meta({ id: 'StreamName', description: 'The stream a consumer reads', example: 'events' });
export type StreamName = z.infer<typeof StreamName>;

export const EventType = z.enum(['created', 'updated', 'deleted']).meta({ id: 'EventType' });
export type EventType = z.infer<typeof EventType>;

/** The most bytes that `data` and `changes` of an entry may have, each. */
export const DATA_BYTES = 1024 * 1024;

const Traceparent = z
  .string()
  .max(512)
  .regex(
    TRACEPARENT,
    'must be a W3C traceparent, such as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  )
  .meta({
    description:
      "The trace that its webhooks belong to, each attempt with a span of its own; the request's unless given, and none if null",
    example: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  });

export const RecordInput = z
  .strictObject({
    sync_id: SyncId,
    collection_id: CollectionId,
    upstream_id: UpstreamId,
    data: Data.optional(),
    merge: z.boolean().optional().meta({
      description:
        'Whether `data`, which is an object then, is put over the stored data: top-level fields that are not given keep their stored value, also if the record is deleted and comes back by this. A record that is not known is created with what is given',
    }),
    pass_id: Uuid.optional().meta({
      description: 'The full pass in which the record comes, one of its sync and collection',
    }),
    deleted: z.boolean().optional(),
    upstream_created_at: Timestamp.nullish(),
    upstream_updated_at: Timestamp.nullish(),
    traceparent: Traceparent.nullish(),
  })
  .refine((record) => record.deleted === true || record.data !== undefined, {
    path: ['data'],
    message: 'is required unless deleted is true',
  })
  .refine((record) => !(record.merge === true && record.deleted === true), {
    path: ['merge'],
    message: 'must not be true when deleted is true',
  })
  .refine(fitsIndex, 'sync_id, collection_id and upstream_id hold more than 2,500 bytes together')
  .meta({ id: 'RecordInput' });
export type RecordInput = z.infer<typeof RecordInput>;

/** Postgres can't index keys of more than 2,704 bytes. */
function fitsIndex(record: {
  sync_id: string;
  collection_id: string;
  upstream_id: string;
}): boolean {
  const key = record.sync_id + record.collection_id + record.upstream_id;
  return key.length <= 2500 / 3 || new TextEncoder().encode(key).length <= 2500;
}

export const EventInput = z
  .strictObject({
    sync_id: SyncId,
    collection_id: CollectionId,
    upstream_id: UpstreamId,
    event: EventType,
    data: Data,
    changes: z.record(z.string(), z.unknown()).nullish(),
    event_id: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,255}$/u, 'must be 1–255 of A–Z a–z 0–9 _ -')
      .optional(),
    upstream_updated_at: Timestamp.nullish(),
    traceparent: Traceparent.nullish(),
  })
  .refine((event) => event.data !== undefined, { path: ['data'], message: 'is required' })
  .meta({ id: 'EventInput' });
export type EventInput = z.infer<typeof EventInput>;

export const RecordsAppended = z
  .object({
    accepted: z.int(),
    created: z.int(),
    updated: z.int(),
    deleted: z.int(),
    unchanged: z.int(),
    position: Position,
  })
  .meta({ id: 'RecordsAppended' });
export type RecordsAppended = z.infer<typeof RecordsAppended>;

export const EventsAppended = z
  .object({ accepted: z.int(), duplicates: z.int(), position: Position })
  .meta({ id: 'EventsAppended' });
export type EventsAppended = z.infer<typeof EventsAppended>;

/** A record as it is read and sent. `updated_idx` is its position. */
export const StreamRecord = z
  .object({
    sync_id: z.string(),
    collection_id: z.string(),
    upstream_id: z.string(),
    version_id: z.string(),
    updated_idx: Position,
    data: Data,
    deleted: z.boolean(),
    upstream_created_at: Timestamp.nullable(),
    upstream_updated_at: Timestamp.nullable(),
    created_at: Timestamp,
    updated_at: Timestamp,
  })
  .meta({ id: 'Record' });
export type StreamRecord = z.infer<typeof StreamRecord>;

export const StreamEvent = z
  .object({
    event_id: z.string(),
    event: EventType,
    sync_id: z.string(),
    collection_id: z.string(),
    upstream_id: z.string(),
    data: Data,
    changes: z.record(z.string(), z.unknown()).nullable().meta({
      description:
        'The previous values of the top-level fields that changed, if an update was derived',
    }),
    upstream_updated_at: Timestamp.nullable(),
    event_inserted_at: Timestamp,
    position: Position,
  })
  .meta({ id: 'Event' });

export const Sync = z
  .object({
    sync_id: z.string(),
    name: z.string().nullable(),
    metadata: Metadata,
    events: z.int(),
    records: z.int(),
    last_at: Timestamp.nullable(),
  })
  .meta({ id: 'Sync' });
export type Sync = z.infer<typeof Sync>;

export const Collection = z
  .object({
    sync_id: z.string(),
    collection_id: z.string(),
    provider: z.string(),
    events: z.int(),
    records: z.int(),
    last_at: Timestamp,
  })
  .meta({ id: 'Collection' });
export type Collection = z.infer<typeof Collection>;

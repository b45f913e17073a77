import { z } from 'zod';

import {
  text,
  SyncId,
  CollectionId,
  UpstreamId,
  Timestamp,
  Uuid,
  Position,
  Metadata,
  Data,
  headerName,
  headerValue,
  httpUrl,
  filterList,
  path,
  credentialsWith,
  masked,
  secretHeader,
} from './fields.ts';

/** `records` holds the latest version of each record, `events` every change. */
export const StreamName = z
  .enum(['records', 'events'])
  .meta({ id: 'StreamName', description: 'The stream a consumer reads', example: 'events' });
export type StreamName = z.infer<typeof StreamName>;

export const EventType = z.enum(['created', 'updated', 'deleted']).meta({ id: 'EventType' });
export type EventType = z.infer<typeof EventType>;

// ── ingest ───────────────────────────────────────────────────────────────────────────────

export const RecordInput = z
  .strictObject({
    sync_id: SyncId,
    collection_id: CollectionId,
    upstream_id: UpstreamId,
    data: Data.optional(),
    deleted: z.boolean().optional(),
    upstream_created_at: Timestamp.nullish(),
    upstream_updated_at: Timestamp.nullish(),
  })
  .refine((record) => record.deleted === true || record.data !== undefined, {
    path: ['data'],
    message: 'is required unless deleted is true',
  })
  .refine(fitsIndex, 'sync_id, collection_id and upstream_id hold more than 2,500 bytes together')
  .meta({ id: 'RecordInput' });
export type RecordInput = z.infer<typeof RecordInput>;

/** Postgres indexes keys of up to 2,704 bytes. */
function fitsIndex(record: {
  sync_id: string;
  collection_id: string;
  upstream_id: string;
}): boolean {
  const key = record.sync_id + record.collection_id + record.upstream_id;
  return key.length <= 2_500 / 3 || new TextEncoder().encode(key).length <= 2_500;
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

// ── what the streams hold ────────────────────────────────────────────────────────────────

/** A record as it is read and sent; `updated_idx` is its position. */
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

export const StreamEvent = z
  .object({
    event_id: z.string(),
    event: EventType,
    sync_id: z.string(),
    collection_id: z.string(),
    upstream_id: z.string(),
    data: Data,
    changes: z.record(z.string(), z.unknown()).nullable().meta({
      description: 'Previous values of the changed top-level fields, where an update was derived',
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

// ── targets ──────────────────────────────────────────────────────────────────────────────

export const Credentials = credentialsWith(secretHeader).meta({ id: 'Credentials' });
export type Credentials = z.infer<typeof Credentials>;

export const MaskedCredentials = credentialsWith(z.union([secretHeader, masked])).meta({
  id: 'MaskedCredentials',
  description: 'Secrets come back as ••••last4; sent back like this they keep what is stored',
});

export const HeaderMap = z
  .record(headerName, headerValue)
  .refine((map) => Object.keys(map).length <= 50, 'must not hold more than 50')
  .meta({ description: 'Sent with each webhook' });

export const Health = z
  .object({ status: z.enum(['ok', 'warn', 'error']), notes: z.array(z.string()), time: Timestamp })
  .meta({ id: 'Health' });
export type Health = z.infer<typeof Health>;

const targetFields = {
  name: text(255),
  base_url: httpUrl.meta({ example: 'https://example.com/hooks' }),
  credentials: Credentials,
  headers: HeaderMap,
  ca: z.string().min(1).max(65_536).nullable().meta({
    description: 'PEM certificates to trust instead of the public authorities; null: those',
  }),
  timeout_ms: z.int().min(500).max(15_000).meta({ description: 'Milliseconds to a status line' }),
  max_in_flight: z.int().min(1).max(1000).meta({ description: 'Open requests, per consumer' }),
  rate_limit: z.int().min(1).max(100_000).nullable().meta({
    description: 'Requests a second, per consumer; null: none',
  }),
  metadata: Metadata,
};

export const TargetInput = z
  .strictObject({
    ...targetFields,
    kind: z.literal('webhook').default('webhook'),
    credentials: targetFields.credentials.default({ type: 'none' }),
    headers: targetFields.headers.default({}),
    ca: targetFields.ca.default(null),
    timeout_ms: targetFields.timeout_ms.default(15_000),
    max_in_flight: targetFields.max_in_flight.default(64),
    rate_limit: targetFields.rate_limit.default(null),
    metadata: targetFields.metadata.default({}),
  })
  .meta({ id: 'TargetInput' });
export type TargetInput = z.infer<typeof TargetInput>;

const maskedFields = {
  ...targetFields,
  credentials: MaskedCredentials,
  signing_secret: z
    .string()
    .meta({ description: 'Whole once, in the answer to create and to rotate' }),
};

export const TargetPatch = z.strictObject(maskedFields).partial().meta({ id: 'TargetPatch' });
export type TargetPatch = z.infer<typeof TargetPatch>;

export const SecretRotation = z
  .strictObject({
    expires_in: z.int().min(0).max(2_592_000).default(86_400).meta({
      description: 'Seconds for which the secret in use until now signs, too; 0: it ends at once',
    }),
  })
  .meta({ id: 'SecretRotation' });
export type SecretRotation = z.infer<typeof SecretRotation>;

export const Target = z
  .object({
    id: Uuid,
    kind: z.literal('webhook'),
    ...maskedFields,
    health: Health,
    created_at: Timestamp,
    updated_at: Timestamp,
  })
  .meta({ id: 'Target' });
export type Target = z.infer<typeof Target>;

// ── consumers ────────────────────────────────────────────────────────────────────────────

export const SyncList = filterList(SyncId);
export const CollectionList = filterList(CollectionId);
export const EventTypeList = filterList(EventType);

export const Filter = z.object({
  syncs: z.array(z.string()),
  collections: z.array(z.string()),
  event_types: z.array(z.string()),
});
/** An entry passes when its sync, collection and event type are each in their list. */
export type Filter = z.infer<typeof Filter>;

export const Ordering = z.enum(['record', 'stream', 'none']).meta({ id: 'Ordering' });
export type Ordering = z.infer<typeof Ordering>;

export const ConsumerStatus = z
  .enum(['active', 'paused', 'blocked', 'stopped'])
  .meta({ id: 'ConsumerStatus' });
export type ConsumerStatus = z.infer<typeof ConsumerStatus>;

export const Cursor = z.string().max(512).meta({
  description: 'An opaque position, bound to its stream; exclusive',
});

const place = [z.strictObject({ cursor: Cursor }), z.strictObject({ time: Timestamp })] as const;
export const Start = z
  .union([z.enum(['beginning', 'end']), ...place])
  .meta({ id: 'Start', description: 'Where a consumer begins' });
export type Start = z.infer<typeof Start>;

const consumerFields = {
  name: text(255),
  target_id: Uuid,
  path,
  syncs: SyncList,
  collections: CollectionList,
  event_types: EventTypeList,
  ordering: Ordering,
  alert_emails: z.array(z.email()).max(50),
  metadata: Metadata,
};

const all = () => ['*'];
export const ConsumerInput = z
  .strictObject({
    ...consumerFields,
    stream: StreamName,
    path: path.default(''),
    syncs: SyncList.default(all),
    collections: CollectionList.default(all),
    event_types: EventTypeList.default(all),
    ordering: Ordering.default('record'),
    alert_emails: consumerFields.alert_emails.default([]),
    metadata: Metadata.default({}),
    start: Start.default('end'),
  })
  .refine((input) => input.stream === 'events' || input.event_types[0] === '*', {
    path: ['event_types'],
    message: 'must be ["*"] on the records stream',
  })
  .meta({ id: 'ConsumerInput' });
export type ConsumerInput = z.infer<typeof ConsumerInput>;

export const ConsumerPatch = z.strictObject(consumerFields).partial().meta({ id: 'ConsumerPatch' });
export type ConsumerPatch = z.infer<typeof ConsumerPatch>;

const partialFilter = z.strictObject({
  syncs: SyncList.optional(),
  collections: CollectionList.optional(),
  event_types: EventTypeList.optional(),
});
export const FilterDelta = z
  .strictObject({ add: partialFilter.default({}), remove: partialFilter.default({}) })
  .meta({ id: 'FilterDelta' });
export type FilterDelta = z.infer<typeof FilterDelta>;

export const SeekInput = z.strictObject({ to: Start }).meta({ id: 'SeekInput' });
export type SeekInput = z.infer<typeof SeekInput>;

export const Consumer = z
  .object({
    id: Uuid,
    name: z.string(),
    target_id: Uuid,
    stream: StreamName,
    path: z.string(),
    syncs: z.array(z.string()),
    collections: z.array(z.string()),
    event_types: z.array(z.string()),
    ordering: Ordering,
    alert_emails: z.array(z.string()),
    status: ConsumerStatus,
    status_reason: z.string().nullable(),
    position: Position,
    cursor: Cursor,
    lag: z.object({
      entries: z.int().meta({ description: 'Upper bound; exactly 0 when caught up' }),
      seconds: z.number().meta({ description: 'Age of the oldest' }),
    }),
    parked: z.int(),
    next_attempt_at: Timestamp.nullable(),
    failing_since: Timestamp.nullable(),
    filter_version: z.int(),
    filter_from: Position,
    region: z.string(),
    workflow_id: z.string(),
    health: Health,
    metadata: Metadata,
    created_at: Timestamp,
    updated_at: Timestamp,
  })
  .meta({ id: 'Consumer' });
export type Consumer = z.infer<typeof Consumer>;

export const Change = z
  .object({
    id: Uuid,
    consumer_id: Uuid,
    action: z.string(),
    actor: z.string(),
    detail: z.record(z.string(), z.unknown()),
    at: Timestamp,
  })
  .meta({ id: 'Change', description: 'Who paused, edited, seeked, resumed what, when' });
export type Change = z.infer<typeof Change>;

export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().meta({ description: 'Stable; switch on this' }),
    request_id: z.string(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' });
export type Problem = z.infer<typeof Problem>;

export const Info = z
  .object({
    version: z.string(),
    region: z.string(),
    retry_window: z.string(),
    retention: z.object({ events: z.string(), attempts: z.string() }),
    temporal: z.object({
      address: z.string(),
      namespace: z.string(),
      ui_url: z.string().nullable(),
    }),
    dev_receiver_url: z.string().nullable(),
  })
  .meta({ id: 'Info' });
export type Info = z.infer<typeof Info>;

import { z } from 'zod';

import { ConsumerBatch } from './batch.ts';
import { ConsumerBody, FULL_BODY } from './body.ts';
import {
  text,
  SyncId,
  CollectionId,
  Timestamp,
  Uuid,
  Position,
  Metadata,
  filterList,
  path,
  Health,
} from './fields.ts';
import { EventType, StreamName } from './stream.ts';

export const SyncList = filterList(SyncId);
export const CollectionList = filterList(CollectionId);
export const EventTypeList = filterList(EventType);

export const Filter = z.object({
  syncs: z.array(z.string()),
  collections: z.array(z.string()),
  event_types: z.array(z.string()),
  where: z.string().nullable().optional(),
});
/**
 * An entry passes when its sync, collection and event type are each in their list, and the condition `where`, if there is
 * one, is true for it.
 */
export type Filter = z.infer<typeof Filter>;

/** The text of a condition. That it is one is checked where the stream is known. */
export const Where = text(4096).meta({
  description:
    'A CEL expression over the entry, for example `event.data.amount > 100`. Entries that pass the lists have to satisfy it',
  example: 'event.data.amount > 100',
});

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
  .meta({ id: 'Start', description: 'Where a consumer starts' });
export type Start = z.infer<typeof Start>;

const consumerFields = {
  name: text(255),
  target_id: Uuid,
  path,
  syncs: SyncList,
  collections: CollectionList,
  event_types: EventTypeList,
  where: Where.nullable(),
  ordering: Ordering,
  batch: ConsumerBatch.nullable(),
  body: ConsumerBody,
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
    where: Where.nullable().default(null),
    ordering: Ordering.default('record'),
    batch: consumerFields.batch.default(null),
    body: ConsumerBody.default(FULL_BODY),
    alert_emails: consumerFields.alert_emails.default([]),
    metadata: Metadata.default({}).meta({ default: {} }),
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
  .strictObject({
    add: partialFilter.default({}),
    remove: partialFilter.default({}),
    where: Where.nullable().optional().meta({
      description: 'The new condition; null removes it, and without it the condition stays',
    }),
  })
  .meta({ id: 'FilterDelta' });
export type FilterDelta = z.infer<typeof FilterDelta>;

/** What consumers may have, to list those that do: parked entries, dead letters, or a `cannot_start`. */
export const ConsumerWith = z
  .enum(['parked', 'dead_letters', 'cannot_start'])
  .meta({ id: 'ConsumerWith' });
export type ConsumerWith = z.infer<typeof ConsumerWith>;

/** In which order consumers are listed. */
export const ConsumerSort = z.enum(['newest', 'lag', 'failed']);
export type ConsumerSort = z.infer<typeof ConsumerSort>;

export const SeekInput = z.strictObject({ to: Start }).meta({ id: 'SeekInput' });
export type SeekInput = z.infer<typeof SeekInput>;

export const Consumer = z
  .object({
    id: Uuid,
    name: z.string(),
    target_id: Uuid,
    target_name: z.string(),
    stream: StreamName,
    path: z.string(),
    syncs: z.array(z.string()),
    collections: z.array(z.string()),
    event_types: z.array(z.string()),
    where: z.string().nullable().meta({
      description: 'The condition that entries which pass the lists have to satisfy; null: none',
    }),
    ordering: Ordering,
    batch: ConsumerBatch.nullable().meta({
      description: 'Null: each request carries one entry, as `{"event": …}` or `{"record": …}`',
    }),
    body: ConsumerBody,
    alert_emails: z.array(z.string()),
    status: ConsumerStatus,
    status_reason: z.string().nullable(),
    position: Position,
    cursor: Cursor,
    lag: z.object({
      entries: z.int().meta({
        description: 'An upper bound unless `exact`; exactly 0 when the consumer is caught up',
      }),
      seconds: z.number().meta({ description: 'The age of the oldest entry' }),
      exact: z.boolean().meta({
        description:
          'Whether `entries` is exact; false where so many entries follow the position that not all were read, and where a condition (`where`) decides which of them are sent',
      }),
    }),
    parked: z.int(),
    dead_letters: z.int(),
    next_attempt_at: Timestamp.nullable(),
    failing_since: Timestamp.nullable(),
    last_failure: z
      .object({
        code: z.string(),
        status: z.int().nullable().meta({ description: 'Null when there was no response' }),
        detail: z.string(),
        at: Timestamp,
        since: Timestamp.nullable().meta({
          description:
            'When the first of the consecutive failures with this code and status happened; null when unknown',
        }),
        late: z.object({ status: z.int(), after_ms: z.int() }).nullable().meta({
          description:
            'The response that came after the timeout, and how long after the start of the request; null when none is known',
        }),
      })
      .nullable()
      .meta({
        description: 'The newest failure of its endpoint; null unless `failing_since` has a value',
      }),
    cannot_start: z
      .object({
        code: z.string().meta({
          description:
            'credentials_unreadable, signing_secret_unreadable, certificate_unreadable, url_unreadable, ' +
            'filter_unreadable, body_unreadable, target_missing, proxy_unreachable or internal_error; more may follow',
        }),
        detail: z.string().meta({ description: 'A sentence that names what to do' }),
        since: Timestamp,
        next_try_at: Timestamp,
      })
      .nullable()
      .meta({
        description:
          "A lasting fault, not the endpoint's, that keeps an active or blocked consumer from sending; null when there is none",
      }),
    sender: z
      .object({
        activity: z.enum(['visit', 'drain', 'deliver']).meta({
          description:
            'visit: a lane that delivers for many quiet consumers; drain: an activity of this consumer, which sends many entries ' +
            'at a time; deliver: an activity of this consumer, which retries the failing entry',
        }),
        process: z.string().meta({
          description:
            'The worker: its host, its process id and a random part. The Temporal UI shows it as the last worker of the activity',
        }),
        lane: z.int().nullable().meta({
          description: 'The number of the lane; null unless the activity is visit',
        }),
        lease_until: Timestamp.meta({
          description:
            'No request starts after this time unless the lease is renewed; a running sender renews it',
        }),
      })
      .nullable()
      .meta({
        description:
          'The only process that may send for the consumer at present; null while there is none. `position` and `lag` tell how far it is',
      }),
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
    detail: z.record(z.string(), z.unknown()).meta({
      description:
        "What was changed; the fields depend on the action. For `filter`, and for `changed` where it concerns the filter: the values `added` and `removed` by list, ten of each at most, and how many more were `left_out`, and the new condition `where`, null for none. For `changed`: the names of the `fields` that were given, with a given `name`, `ordering` and `batch`. For `stopped`, by `millrace` itself: the `reason`. For `retried` by no one's command: `because`, one of `target_tested` (by whoever tested it), `target_changed` and `new_leader`",
    }),
    at: Timestamp,
  })
  .meta({ id: 'Change', description: 'Who changed what about a consumer, and when' });
export type Change = z.infer<typeof Change>;

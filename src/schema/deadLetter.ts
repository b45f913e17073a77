import { z } from 'zod';

import { CollectionId, Position, SyncId, Timestamp, UpstreamId, Uuid } from './fields.ts';
import { EventType } from './stream.ts';

/** The last failed attempt at an entry that its endpoint rejects while it accepts others. */
const LastFailure = z.object({
  code: z.string(),
  status: z.int().nullable(),
  detail: z.string(),
  at: z.string(),
  response_head: z.string().nullable(),
});

/** The status that a last failure was answered with, in a filter: `none` for failures without an answer. */
export const AnsweredStatus = z
  .string()
  .regex(/^(?:[1-5]\d\d|none)$/u, 'must be an HTTP status from 100 to 599, or none')
  .meta({
    description: 'HTTP status of the last failure, or `none` for those without an answer',
    example: '422',
  });

/** An entry that failed by itself while others were taken, and is retried beside them. */
export const ParkedEntry = z
  .object({
    consumer_id: Uuid,
    position: Position,
    message_id: z.string().meta({ description: 'Its `webhook-id`' }),
    sync_id: SyncId,
    collection_id: CollectionId,
    upstream_id: UpstreamId,
    event: EventType.nullable().meta({ description: 'Null on the records stream' }),
    attempts: z.int(),
    parked_at: Timestamp,
    next_attempt_at: Timestamp.nullable().meta({
      description:
        'Null while the consumer is not active, and while the entry follows another of its record',
    }),
    follows: z.boolean().meta({
      description: 'Whether it is waiting for an earlier parked entry of its record',
    }),
    last_failure: LastFailure.nullable().meta({
      description: 'Null when it has not been tried yet',
    }),
  })
  .meta({ id: 'ParkedEntry' });
export type ParkedEntry = z.infer<typeof ParkedEntry>;

/** An entry that failed by itself for the whole retry window. */
export const DeadLetter = z
  .object({
    id: Uuid,
    consumer_id: Uuid,
    position: Position,
    message_id: z.string(),
    sync_id: SyncId,
    collection_id: CollectionId,
    upstream_id: UpstreamId,
    event: z.enum(['created', 'updated', 'deleted']).nullable(),
    attempts: z.int(),
    parked_at: Timestamp,
    died_at: Timestamp,
    last_failure: LastFailure,
  })
  .meta({ id: 'DeadLetter' });
export type DeadLetter = z.infer<typeof DeadLetter>;

/** A dead letter with the whole body of its entry, byte for byte, of which the refused one was made. */
export const DeadLetterWithBody = DeadLetter.extend({ body: z.string() }).meta({
  id: 'DeadLetterWithBody',
});
export type DeadLetterWithBody = z.infer<typeof DeadLetterWithBody>;

/** Dead letters whose last attempts failed in the same way. */
export const DeadLetterGroup = z
  .object({
    code: z.string(),
    status: z.int().nullable(),
    count: z.int(),
    records: z.int().meta({ description: 'The number of distinct records' }),
    newest_at: Timestamp,
    example_id: Uuid.meta({ description: 'The newest of them' }),
  })
  .meta({ id: 'DeadLetterGroup' });
export type DeadLetterGroup = z.infer<typeof DeadLetterGroup>;

/** The dead letters to send again. */
export const ReplayInput = z
  .union([
    z.strictObject({ ids: z.array(Uuid).min(1).max(1_000) }),
    z.strictObject({ all: z.literal(true) }),
  ])
  .meta({ id: 'ReplayInput', example: { all: true } });

/** The entry to send again. */
export const ResendInput = z
  .strictObject({ position: z.int().min(1) })
  .meta({ id: 'ResendInput', example: { position: 42 } });

/** How many entries were queued to be sent. */
export const Queued = z.object({ count: z.int() }).meta({ id: 'Queued' });

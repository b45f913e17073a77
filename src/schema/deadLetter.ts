import { z } from 'zod';

import { CollectionId, Position, SyncId, Timestamp, UpstreamId, Uuid } from './fields.ts';

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
    last_failure: z.object({
      code: z.string(),
      status: z.int().nullable(),
      detail: z.string(),
      at: z.string(),
      response_head: z.string().nullable(),
    }),
  })
  .meta({ id: 'DeadLetter' });
export type DeadLetter = z.infer<typeof DeadLetter>;

/** A dead letter with the body that was refused, byte for byte. */
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

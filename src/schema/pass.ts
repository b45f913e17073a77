import { z } from 'zod';

import { CollectionId, SyncId, Timestamp, Uuid } from './fields.ts';

export const PassInput = z
  .strictObject({ sync_id: SyncId, collection_id: CollectionId })
  .meta({ id: 'PassInput' });
export type PassInput = z.infer<typeof PassInput>;

export const PassStatus = z.enum(['running', 'deleting', 'completed', 'superseded']).meta({
  id: 'PassStatus',
  description:
    '`running`: records may come; `deleting`: it is being completed; `superseded`: a later pass of the collection has begun, so it deletes nothing any more',
});
export type PassStatus = z.infer<typeof PassStatus>;

/** A full pass through the records of a collection. */
export const Pass = z
  .object({
    id: Uuid,
    sync_id: z.string(),
    collection_id: z.string(),
    status: PassStatus,
    deleted: z.int().meta({ description: 'The records that it has deleted so far' }),
    seen: z.int().nullable().meta({
      description: 'The records that were left when it was completed; null until then',
    }),
    created_at: Timestamp,
    ended_at: Timestamp.nullable(),
  })
  .meta({ id: 'Pass' });
export type Pass = z.infer<typeof Pass>;

export const PassCompletion = z
  .strictObject({
    confirm: z.boolean().optional().meta({
      description: 'Whether more than a fifth of the records may be deleted',
      example: true,
    }),
  })
  .meta({ id: 'PassCompletion' });

export const PassCompleted = z
  .object({
    deleted: z.int().meta({ description: 'The records that the pass has deleted' }),
    seen: z.int().meta({ description: 'The records of the collection that are left' }),
  })
  .meta({ id: 'PassCompleted' });
export type PassCompleted = z.infer<typeof PassCompleted>;

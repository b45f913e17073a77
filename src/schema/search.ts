import { z } from 'zod';

import { AttemptOutcome } from './attempt.ts';
import { ConsumerStatus } from './consumer.ts';
import { Position, Timestamp, Uuid } from './fields.ts';
import { SourceStatus } from './source.ts';
import { EventType } from './stream.ts';

const entry = {
  sync_id: z.string(),
  collection_id: z.string(),
  upstream_id: z.string(),
  position: Position,
};

/** One thing that a search has found. */
export const SearchHit = z
  .discriminatedUnion('kind', [
    z.object({
      kind: z.literal('consumer'),
      id: Uuid,
      name: z.string(),
      status: ConsumerStatus,
      target_id: Uuid,
      target_name: z.string(),
    }),
    z.object({ kind: z.literal('target'), id: Uuid, name: z.string(), base_url: z.string() }),
    z.object({
      kind: z.literal('source'),
      id: Uuid,
      name: z.string(),
      status: SourceStatus,
      sync_id: z.string(),
    }),
    z.object({
      kind: z.literal('sync'),
      sync_id: z.string(),
      name: z.string().nullable(),
      last_at: Timestamp.nullable(),
    }),
    z.object({
      kind: z.literal('record'),
      ...entry,
      version_id: z.string(),
      deleted: z.boolean(),
      updated_at: Timestamp,
      cursor: z.string().meta({
        description:
          'The cursor after which the records stream begins with this record, as long as the record has not changed again',
      }),
    }),
    z.object({
      kind: z.literal('event'),
      event_id: z.string(),
      event: EventType,
      ...entry,
      event_inserted_at: Timestamp,
    }),
    z
      .object({
        kind: z.literal('batch'),
        message_id: z.string().meta({ description: 'Its `webhook-id`' }),
        consumer_id: Uuid,
        consumer_name: z.string(),
        batch_size: z.int().meta({ description: 'How many entries it carried' }),
        position: Position.meta({ description: 'That of its first entry' }),
        started_at: Timestamp,
        outcome: AttemptOutcome,
        status: z.int().nullable(),
        error_code: z.string().nullable(),
      })
      .meta({
        description:
          'A request of several entries, as it was sent last. `GET /v1/consumers/{consumer_id}/attempts?batch_id=…` lists its attempts',
      }),
  ])
  .meta({ id: 'SearchHit' });
export type SearchHit = z.infer<typeof SearchHit>;

export const SearchResult = z
  .object({
    data: z.array(SearchHit).meta({
      description:
        'By kind: consumers, targets, sources, syncs, records, events; the best match of each kind first. The `webhook-id` of a batch finds the batch alone',
    }),
    note: z.string().optional().meta({
      description:
        'Why nothing was found, in sentences, where the text tells what it is: the `webhook-id` of a batch, or a trace',
    }),
  })
  .meta({ id: 'SearchResult', description: 'What was found; empty when nothing was found' });
export type SearchResult = z.infer<typeof SearchResult>;

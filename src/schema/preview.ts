import { z } from 'zod';

import { ConsumerBatch } from './batch.ts';
import { ConsumerBody } from './body.ts';
import { SyncList, CollectionList, EventTypeList, Where } from './consumer.ts';
import { StreamName, StreamEvent, StreamRecord } from './stream.ts';

const all = (): string[] => ['*'];

/** A filter that is not saved, and the number of newest entries to try it on. */
export const PreviewInput = z
  .strictObject({
    stream: StreamName,
    syncs: SyncList.default(all),
    collections: CollectionList.default(all),
    event_types: EventTypeList.default(all),
    where: Where.nullable().default(null),
    last: z
      .int()
      .min(1)
      .max(10000)
      .default(1000)
      .meta({ description: 'How many of the newest entries to read' }),
    body: ConsumerBody.optional().meta({
      description: 'With it, the answer says what would be sent of the newest match',
    }),
    batch: ConsumerBatch.nullable().default(null).meta({
      description:
        'With it, that is the request of a consumer with batches which carries this one entry',
    }),
  })
  .refine((input) => input.stream === 'events' || input.event_types[0] === '*', {
    path: ['event_types'],
    message: 'must be ["*"] on the records stream',
  })
  .meta({ id: 'PreviewInput' });
export type PreviewInput = z.infer<typeof PreviewInput>;

export const Preview = z
  .object({
    scanned: z.int().meta({
      description:
        'The number of entries that were read: `last`, or fewer when the stream has fewer',
    }),
    listed: z.int().meta({ description: 'How many of them pass the lists' }),
    tried: z.int().meta({
      description:
        'On how many of those the condition was tried, newest first; fewer than `listed` where trying all would take more than 5 s',
    }),
    matched: z.int().meta({ description: 'How many of those match' }),
    failed: z.int().meta({
      description: 'For how many of those the condition could not be evaluated; they do not match',
    }),
    sample: z
      .array(z.union([StreamEvent, StreamRecord]))
      .meta({ description: 'The newest entries that match, at most 10' }),
    others: z
      .array(
        z.object({
          entry: z.union([StreamEvent, StreamRecord]),
          why: z.string().meta({ description: 'A sentence' }),
        }),
      )
      .meta({
        description:
          'The newest entries that pass the lists and do not satisfy the condition, and why; at most 10, and at most 3 for the same reason',
      }),
    sample_body: z
      .object({
        content_type: z.string(),
        text: z
          .string()
          .nullable()
          .meta({ description: 'Null when none can be made of the entry' }),
        fault: z.string().nullable().meta({ description: 'Why none can be made' }),
      })
      .nullable()
      .optional()
      .meta({
        description:
          'With `body` or `batch` only: what would be sent of the newest entry that matches; null when none matches',
      }),
  })
  .meta({ id: 'Preview' });
export type Preview = z.infer<typeof Preview>;

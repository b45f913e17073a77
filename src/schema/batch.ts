import { z } from 'zod';

import { BATCH_BOUNDS } from './batchBounds.ts';

const MB = 1_024 * 1_024;

const within = ({ min, max }: { min: number; max: number }) => z.int().min(min).max(max);

/** How many entries one request of a consumer may carry. */
export const ConsumerBatch = z
  .strictObject({
    max_entries: within(BATCH_BOUNDS.max_entries).meta({
      description: 'The most entries of one request',
      example: 100,
    }),
    max_bytes: within(BATCH_BOUNDS.max_bytes).default(MB).meta({
      description: 'The most bytes of one body, as it is sent; an entry that is larger goes alone',
    }),
    max_wait_ms: within(BATCH_BOUNDS.max_wait_ms).default(200).meta({
      description:
        'How long the oldest entry of an incomplete batch waits for others; a full batch goes immediately',
    }),
  })
  .meta({
    id: 'ConsumerBatch',
    description:
      'Sends several entries with one request, as `{"events": […]}` or `{"records": […]}`. ' +
      '`max_in_flight` and `rate_limit` of the target count requests',
  });
export type ConsumerBatch = z.infer<typeof ConsumerBatch>;

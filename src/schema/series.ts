import { z } from 'zod';

import { Timestamp } from './fields.ts';

export const MetricsPoint = z
  .object({
    at: Timestamp.meta({ description: 'The beginning of the step' }),
    delivered: z.int(),
    failed: z.int(),
    p50_ms: z.number().nullable(),
    p95_ms: z.number().nullable(),
    p99_ms: z
      .number()
      .nullable()
      .meta({ description: 'Of all attempts; null when there were none' }),
    lag: z.int().meta({
      description:
        'Upper bound of the number of waiting entries; in the newest point, the current one, and in a step that was not sampled, the last one before it',
    }),
  })
  .meta({ id: 'MetricsPoint' });

export const ConsumerMetrics = z
  .object({
    step: z.int().meta({ description: 'Seconds' }),
    p50_ms: z.number().nullable(),
    p95_ms: z.number().nullable().meta({
      description: 'Response times of all steps together; null when there were no attempts',
    }),
    data: z.array(MetricsPoint),
  })
  .meta({ id: 'ConsumerMetrics' });
export type ConsumerMetrics = z.infer<typeof ConsumerMetrics>;

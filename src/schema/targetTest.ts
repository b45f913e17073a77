import { z } from 'zod';

import { AttemptTrace } from './attemptTrace.ts';
import { Uuid } from './fields.ts';
import { IdnForms } from './target.ts';

/** The content and the outcome of a test webhook. */
export const TargetTest = z
  .object({
    message_id: Uuid,
    outcome: z.enum(['delivered', 'failed']),
    status: z.int().nullable(),
    error_code: z.string().nullable(),
    detail: z.string().nullable().meta({ description: 'Why it failed, in words' }),
    duration_ms: z.int(),
    response_head: z
      .string()
      .nullable()
      .meta({ description: 'The first 2 KB of the answer’s body' }),
    request: z.object({
      method: z.literal('POST'),
      url: z.string(),
      idn_host: IdnForms.nullable().meta({
        description: 'Both forms of an internationalised host; null for any other',
      }),
      body: z.string(),
    }),
    trace: AttemptTrace.meta({
      description: 'What was sent with it, what came back, and how long each step took',
    }),
  })
  .meta({ id: 'TargetTest' });
export type TargetTest = z.infer<typeof TargetTest>;

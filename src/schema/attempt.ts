import { z } from 'zod';

import { AttemptTrace } from './attemptTrace.ts';
import { Position, Timestamp, Uuid } from './fields.ts';
import { EventType } from './stream.ts';

export const AttemptOutcome = z.enum(['delivered', 'failed']).meta({ id: 'AttemptOutcome' });
export type AttemptOutcome = z.infer<typeof AttemptOutcome>;

/** One attempt to deliver an entry. */
export const Attempt = z
  .object({
    id: Uuid.meta({ description: 'The same each time the attempt is read' }),
    consumer_id: Uuid,
    position: Position,
    message_id: z.string().meta({
      description:
        'The `webhook-id` that was sent; `position:<n>` once the entry is no longer in the stream',
    }),
    batch_size: z.int().meta({
      description:
        'How many entries the request carried. If there are several, each has an attempt of its own with the same `message_id`; ' +
        'the first of them has the trace and the beginning of the answer',
    }),
    event_id: z.string().nullable().meta({
      description: 'Null on the records stream and once the event is older than the retention',
    }),
    event: EventType.nullable().meta({
      description:
        'The type of the event. Null on the records stream and, like the next three fields, once the entry is no longer in the stream',
    }),
    sync_id: z.string().nullable(),
    collection_id: z.string().nullable(),
    upstream_id: z.string().nullable().meta({ description: 'The record' }),
    trace_id: z.string().nullable().meta({
      description:
        'The trace in which the entry was appended and was sent (W3C Trace Context). Null when it was appended without one, in which case each attempt has a trace of its own, and once the entry is no longer in the stream',
      example: '4bf92f3577b34da6a3ce929d0e0e4736',
    }),
    producer_span_id: z.string().nullable().meta({
      description:
        'The span of the producer in that trace. That of the attempt is in its header `traceparent`, among the headers of `trace`',
      example: '00f067aa0ba902b7',
    }),
    attempt: z.int().meta({ description: 'Counted from 1' }),
    started_at: Timestamp,
    duration_ms: z.int(),
    outcome: AttemptOutcome,
    status: z.int().nullable().meta({ description: 'Null when there was no answer' }),
    error_code: z.string().nullable(),
    response_head: z
      .string()
      .nullable()
      .meta({ description: "The beginning of the answer's body" }),
    next_attempt_at: Timestamp.nullable(),
    trace: AttemptTrace.nullable().optional().meta({
      description:
        'With `include=trace` only. Kept for each failure, for each further attempt, and for a sample of the successes; null for others',
    }),
  })
  .meta({ id: 'Attempt' });
export type Attempt = z.infer<typeof Attempt>;

/** An attempt in a list of several consumers. */
export const TargetAttempt = Attempt.extend({
  consumer_name: z.string().meta({ description: 'The name of its consumer, as it is now' }),
}).meta({ id: 'TargetAttempt' });
export type TargetAttempt = z.infer<typeof TargetAttempt>;

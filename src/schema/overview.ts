import { z } from 'zod';

import { Timestamp, Uuid } from './fields.ts';

/** How far back the overview looks. */
export const OverviewRange = z.enum(['1h', '6h', '24h', '7d']).meta({ id: 'OverviewRange' });
export type OverviewRange = z.infer<typeof OverviewRange>;

export const OverviewPoint = z
  .object({
    at: Timestamp.meta({ description: 'The beginning of the step' }),
    delivered: z.int().nullable(),
    failed: z.int().nullable().meta({
      description: 'Attempts by the time they were stored; null for a time that was not counted',
    }),
    p50_ms: z.number().nullable(),
    p95_ms: z.number().nullable().meta({
      description:
        'Response times of all attempts, to within 5 %; of a sample in minutes with more than 30,000 attempts. Null when there were none',
    }),
    appended: z.int().nullable().meta({ description: 'Events that were appended' }),
    lag: z.int().nullable().meta({
      description:
        'Entries that waited at the end of the step, summed over all consumers; an upper bound where so many followed a position that not all were read, and null for a time that was not sampled',
    }),
  })
  .meta({ id: 'OverviewPoint' });
export type OverviewPoint = z.infer<typeof OverviewPoint>;

const sent = z.object({
  consumer_id: Uuid,
  name: z.string(),
  delivered: z.int(),
  failed: z.int(),
});

export const Overview = z
  .object({
    range: OverviewRange,
    step: z.int().meta({ description: 'Seconds' }),
    p50_ms: z.number().nullable(),
    p95_ms: z.number().nullable().meta({
      description:
        'Response times of the whole range, as of the last counted minute, which is one or two minutes ago; of some minutes where more than 2,500 have attempts. Null when there were none',
    }),
    series: z.array(OverviewPoint),
    top: z
      .object({
        since: Timestamp.meta({
          description: 'The full hour at which the lists and the series begin',
        }),
        until: Timestamp.meta({ description: 'The time up to which attempts are counted' }),
        busiest: z.array(sent).meta({ description: 'Most deliveries first, at most 5' }),
        failing: z.array(sent).meta({ description: 'Most failed attempts first, at most 5' }),
        laggiest: z
          .array(
            z.object({
              consumer_id: Uuid,
              name: z.string(),
              entries: z.int(),
              exact: z.boolean().meta({ description: 'Whether `entries` is no upper bound' }),
            }),
          )
          .meta({ description: 'Most waiting entries first, as of the last minute, at most 5' }),
        slowest: z
          .array(
            z.object({
              target_id: Uuid,
              name: z.string(),
              mean_ms: z.int().meta({ description: 'The mean response time of its attempts' }),
              attempts: z.int(),
            }),
          )
          .meta({
            description:
              'The targets with the longest mean response times, at most 5. Attempts of a consumer are ' +
              'counted for the target that it has now',
          }),
      })
      .meta({ description: 'Four lists of consumers and targets' }),
  })
  .meta({ id: 'Overview', description: 'What all consumers did together' });
export type Overview = z.infer<typeof Overview>;

export const Trouble = z
  .object({
    target_id: Uuid,
    target_name: z.string(),
    status: z.enum(['stopped', 'cannot_start', 'blocked']).meta({
      description: "cannot_start: can't send because of a lasting fault that is not the endpoint's",
    }),
    code: z.string().nullable().meta({ description: 'The code of their newest failure' }),
    http_status: z.int().nullable(),
    reason: z.string().nullable().meta({ description: 'The reason in words' }),
    consumers: z.int().meta({ description: 'How many consumers of the target have this trouble' }),
    of: z.int().meta({ description: 'How many consumers the target has' }),
    consumer_id: Uuid.nullable().meta({ description: 'The consumer, when there is only one' }),
    consumer_name: z.string().nullable(),
    named: z.array(z.object({ consumer_id: Uuid, name: z.string() })).meta({
      description: 'The consumers by name, where they are at most 3; empty where they are more',
    }),
    since: Timestamp.nullable().meta({
      description: 'When the first of them began to fail in this way',
    }),
    next_attempt_at: Timestamp.nullable(),
    waiting: z.object({ entries: z.int(), exact: z.boolean() }).meta({
      description:
        'Entries that waited for them together in the last minute that was counted; an upper bound unless `exact`',
    }),
    gives_up_at: Timestamp.nullable().meta({
      description: 'When the first of them stops if nothing changes; null unless they are blocked',
    }),
  })
  .meta({ id: 'Trouble' });
export type Trouble = z.infer<typeof Trouble>;

export const Troubles = z
  .object({
    data: z.array(Trouble).meta({
      description:
        "Stopped consumers first, then those that can't send, then blocked ones; at most 50",
    }),
    total: z.int().meta({ description: 'How many there are' }),
  })
  .meta({ id: 'Troubles', description: 'Consumers in trouble, by target and cause' });
export type Troubles = z.infer<typeof Troubles>;

export const TargetMetrics = z
  .object({
    range: OverviewRange,
    step: z.int().meta({ description: 'Seconds' }),
    p50_ms: z.number().nullable(),
    p95_ms: z.number().nullable().meta({
      description:
        'Response times of the whole range, to within 5 %; null when there were no attempts',
    }),
    data: z.array(
      z
        .object({
          at: Timestamp.meta({ description: 'The beginning of the step' }),
          delivered: z.int().nullable(),
          failed: z.int().nullable().meta({
            description:
              'Attempts by the time they were stored; null for a time that was not counted',
          }),
          p50_ms: z.number().nullable(),
          p95_ms: z.number().nullable().meta({
            description:
              'Response times of all attempts, to within 5 %; of a sample in minutes in which all consumers made more than 30,000 attempts, and of some minutes of each step where more than 2,500 minutes have attempts. Null when there were none',
          }),
        })
        .meta({ id: 'TargetMetricsPoint' }),
    ),
  })
  .meta({ id: 'TargetMetrics', description: 'What the consumers of a target did together' });
export type TargetMetrics = z.infer<typeof TargetMetrics>;

import { z } from 'zod';

import { ConsumerStatus } from './consumer.ts';
import { Uuid } from './fields.ts';

export const Status = z
  .object({
    version: z.string(),
    region: z.string(),
    parts: z.record(z.string(), z.boolean()).meta({
      description:
        'Whether each part answers: `database`, `temporal` and `worker` (a worker of this region and one that runs workflows); more may follow',
      example: { database: true, temporal: true, worker: true },
    }),
    figures: z
      .object({
        consumers: z.object({
          active: z.int(),
          paused: z.int(),
          blocked: z.int(),
          stopped: z.int(),
        }),
        lag: z
          .object({
            entries: z.int(),
            seconds: z.number(),
            exact: z.boolean().meta({
              description: 'False where one of the two may be too high for some consumer',
            }),
          })
          .meta({
            description:
              'The entries that wait, counted as in the `lag` of each consumer, as of the last minute: their number, summed over all consumers, and the age of the oldest. Both are upper bounds unless `exact`',
          }),
        parked: z.int(),
        dead_letters: z.int(),
        cannot_start: z.int().meta({ description: "Consumers that can't send" }),
        outbox: z
          .int()
          .meta({ description: 'Mails and alert webhooks that are waiting to be sent' }),
        worst: z
          .array(
            z.object({
              consumer_id: Uuid,
              status: ConsumerStatus,
              parked: z.int(),
              dead_letters: z.int(),
            }),
          )
          .meta({ description: 'The consumers in the most trouble, at most 20, worst first' }),
      })
      .nullable()
      .meta({ description: 'Null while the database does not answer' }),
  })
  .meta({ id: 'Status', description: 'What is running, and what is wrong' });
export type Status = z.infer<typeof Status>;

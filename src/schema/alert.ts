import { z } from 'zod';

import { Timestamp, Uuid } from './fields.ts';

export const AlertKind = z
  .enum(['warning', 'stopped', 'gone', 'recovered', 'dead-letters', 'retention'])
  .meta({ id: 'AlertKind' });
export type AlertKind = z.infer<typeof AlertKind>;

/** What people were to be told about a consumer, and what became of the mail. */
export const Alert = z
  .object({
    id: Uuid,
    consumer_id: Uuid,
    kind: AlertKind,
    detail: z.record(z.string(), z.unknown()).meta({
      description:
        'What the mail says; of `retention`: that events will be lost or, with their count, first and last, were',
    }),
    at: Timestamp,
    mail: z
      .object({
        message_id: z.string().meta({ description: 'Mails may tell of several consumers' }),
        recipients: z.int().nullable().meta({ description: 'How many people' }),
        sent_at: Timestamp.nullable(),
        given_up_at: Timestamp.nullable(),
        last_error: z.string().nullable(),
      })
      .nullable()
      .meta({
        description:
          'Null when none is sent; all but its id null once it is older than the attempt retention',
      }),
  })
  .meta({ id: 'Alert' });
export type Alert = z.infer<typeof Alert>;

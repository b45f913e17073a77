import { z } from 'zod';

import { Timestamp, Uuid } from './fields.ts';

const OF_CONSUMERS = [
  'warning',
  'stopped',
  'gone',
  'recovered',
  'dead-letters',
  'retention',
  'certificate',
] as const;
const OF_SOURCES = [
  'source-failed',
  'source-interrupted',
  'source-behind',
  'source-silent',
  'source-asking',
  'source-recovered',
] as const;

/** What an alert about a consumer says of it. */
export type ConsumerAlertKind = (typeof OF_CONSUMERS)[number];
/** What an alert about a source says of it. */
export type SourceAlertKind = (typeof OF_SOURCES)[number];

/** What an alert is about. */
export const AlertKind = z.enum([...OF_CONSUMERS, ...OF_SOURCES]).meta({
  id: 'AlertKind',
  description: 'Those that begin with `source-` are about a source, the others about a consumer',
});
export type AlertKind = z.infer<typeof AlertKind>;

/** A notification of people about a consumer or a source, and what became of its mail. */
export const Alert = z
  .object({
    id: Uuid,
    consumer_id: Uuid.nullable().meta({ description: 'Null for an alert about a source' }),
    source_id: Uuid.nullable().meta({ description: 'Null for an alert about a consumer' }),
    kind: AlertKind,
    detail: z.record(z.string(), z.unknown()).meta({
      description:
        'The facts that the mail tells. For `retention`: that events will be lost, or which events were lost, with their `count`, `first` and `last`; for `certificate`: when the client certificate of the target ends',
    }),
    at: Timestamp,
    mail: z
      .object({
        message_id: z.string().meta({ description: 'A mail may be about several consumers' }),
        consumers: z
          .int()
          .nullable()
          .meta({ description: 'How many consumers it is about; null for a source' }),
        recipients: z.int().nullable().meta({ description: 'The number of addresses' }),
        to: z.array(z.string()).nullable().meta({
          description: 'The addresses; null without the scope `manage`',
        }),
        sent_at: Timestamp.nullable(),
        given_up_at: Timestamp.nullable(),
        dropped_at: Timestamp.nullable().meta({
          description:
            'When it was dropped because nothing in it was true any more, as every consumer had been resumed or had recovered by then',
        }),
        dropped_because: z.string().nullable().meta({
          description: 'Why it was dropped, in words',
          example: 'the consumer had stopped by then, which has a mail of its own',
        }),
        last_error: z.string().nullable(),
      })
      .nullable()
      .meta({
        description:
          'Null when no mail is sent; all fields but the id are null once it is older than the attempt retention',
      }),
  })
  .meta({ id: 'Alert' });
export type Alert = z.infer<typeof Alert>;

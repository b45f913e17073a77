import { z } from 'zod';

/** The fields of a request for a test alert. */
export const AlertTestInput = z
  .strictObject({
    to: z.email().optional().meta({
      description: 'The address that the mail is sent to; by default those of MILLRACE_ALERT_EMAIL',
    }),
  })
  .meta({ id: 'AlertTestInput' });
export type AlertTestInput = z.infer<typeof AlertTestInput>;

const detail = z.string().nullable().meta({
  description: 'Why it failed, or what to set, in words; null when there is nothing to report',
});

/** The outcome of a test alert. */
export const AlertTest = z
  .object({
    mail: z.object({
      outcome: z.enum(['accepted', 'written', 'failed', 'not_set']).meta({
        description:
          '`accepted` by the mail server; `written` to a file, as SMTP_URL is not set; `not_set`: there is no address to send it to',
      }),
      to: z.array(z.string()),
      detail,
      duration_ms: z.int(),
    }),
    webhook: z.object({
      outcome: z.enum(['accepted', 'failed', 'not_set']).meta({
        description: '`accepted` with a 2xx; `not_set`: there is no MILLRACE_ALERT_WEBHOOK',
      }),
      status: z.int().nullable().meta({ description: 'Null without an answer' }),
      detail,
      duration_ms: z.int(),
    }),
    sent_by: z.string().meta({ description: 'The worker whose settings were used' }),
  })
  .meta({ id: 'AlertTest' });
export type AlertTest = z.infer<typeof AlertTest>;

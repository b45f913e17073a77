import { z } from 'zod';

export const Info = z
  .object({
    version: z.string(),
    region: z.string(),
    retry_window: z.string(),
    retention: z.object({ events: z.string(), attempts: z.string() }),
    temporal: z.object({
      address: z.string(),
      namespace: z.string(),
      ui_url: z.string().nullable(),
    }),
    dev_receiver_url: z.string().nullable(),
    dev_outbox: z.boolean().meta({
      description: 'Whether mails are written as files, as in development without `SMTP_URL`',
    }),
  })
  .meta({ id: 'Info' });
export type Info = z.infer<typeof Info>;

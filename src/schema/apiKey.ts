import { z } from 'zod';

import { text, Timestamp, Uuid } from './fields.ts';

/** What a key may do; `manage` includes `read`. */
export const Scope = z.enum(['ingest', 'read', 'manage']).meta({
  id: 'Scope',
  description: '`ingest` may append to the streams, `read` may read, `manage` may change and read',
  example: 'ingest',
});
export type Scope = z.infer<typeof Scope>;

/** Actors that are not API keys. */
const RESERVED = ['bootstrap', 'temporal', 'target'];

export const ApiKeyInput = z
  .strictObject({
    name: text(255)
      .refine((name) => !RESERVED.includes(name), `must not be ${RESERVED.join(', ')}`)
      .meta({ description: 'Recorded as the actor of each change', example: 'billing' }),
    scopes: z
      .array(Scope)
      .min(1)
      .transform((scopes) => [...new Set(scopes)]),
    expires_at: Timestamp.nullish(),
  })
  .meta({ id: 'ApiKeyInput' });
export type ApiKeyInput = z.infer<typeof ApiKeyInput>;

export const ApiKey = z
  .object({
    id: Uuid,
    name: z.string(),
    scopes: z.array(Scope),
    last4: z.string().meta({ description: 'The last four characters of the key', example: 'x7Qa' }),
    created_at: Timestamp,
    created_by: z.string(),
    expires_at: Timestamp.nullable(),
    last_used_at: Timestamp.nullable().meta({ description: 'Accurate to a minute' }),
    revoked_at: Timestamp.nullable(),
  })
  .meta({ id: 'ApiKey' });
export type ApiKey = z.infer<typeof ApiKey>;

export const NewApiKey = ApiKey.extend({
  key: z.string().meta({ description: 'Shown only once', example: 'mk_…' }),
}).meta({ id: 'NewApiKey' });
export type NewApiKey = z.infer<typeof NewApiKey>;

import { z } from 'zod';

import { text, Timestamp, Uuid } from './fields.ts';

/** What a key may do; `manage` may read too. */
export const Scope = z.enum(['ingest', 'read', 'manage']).meta({
  id: 'Scope',
  description: '`ingest` appends to the streams, `read` reads, `manage` changes and reads',
  example: 'ingest',
});
export type Scope = z.infer<typeof Scope>;

/** Actors that are no key. */
const RESERVED = ['bootstrap', 'temporal', 'target'];

export const ApiKeyInput = z
  .strictObject({
    name: text(255)
      .refine((name) => !RESERVED.includes(name), `must not be ${RESERVED.join(', ')}`)
      .meta({ description: 'Recorded as the actor of what is changed', example: 'billing' }),
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
    last4: z.string().meta({ description: 'The end of the key', example: 'x7Qa' }),
    created_at: Timestamp,
    created_by: z.string(),
    expires_at: Timestamp.nullable(),
    last_used_at: Timestamp.nullable().meta({ description: 'To the minute' }),
    revoked_at: Timestamp.nullable(),
  })
  .meta({ id: 'ApiKey' });
export type ApiKey = z.infer<typeof ApiKey>;

export const NewApiKey = ApiKey.extend({
  key: z.string().meta({ description: 'Shown this once', example: 'mk_…' }),
}).meta({ id: 'NewApiKey' });
export type NewApiKey = z.infer<typeof NewApiKey>;

import { z } from 'zod';

import { Scope } from './apiKey.ts';
import { Timestamp, Uuid } from './fields.ts';

const secret = z.string().regex(/^[\x21-\x7e]{1,255}$/u, 'must be 1–255 visible ASCII characters');

export const SessionInput = z
  .union([z.strictObject({ api_key: secret }), z.strictObject({ token: secret })])
  .meta({ id: 'SessionInput', description: 'An API key, or the token of a sign-in link' });

/** The caller that uses the API. */
export const Session = z
  .object({
    name: z.string().meta({ description: 'The name of the key' }),
    api_key_id: Uuid.nullable().meta({ description: 'Null for the configured key' }),
    scopes: z.array(Scope),
    via: z.enum(['session', 'key']),
    expires_at: Timestamp.nullable().meta({
      description: 'When it ends unless it is used before that; null when it does not end',
    }),
  })
  .meta({ id: 'Session' });
export type Session = z.infer<typeof Session>;

export const SignInLink = z
  .object({
    url: z.string().meta({
      description: 'Signs in the first browser that opens it',
      example: 'http://127.0.0.1:4600/signin#token=…',
    }),
    expires_at: Timestamp,
  })
  .meta({ id: 'SignInLink' });
export type SignInLink = z.infer<typeof SignInLink>;

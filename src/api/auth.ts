import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import type { AppEnv } from './env.ts';
import { ApiError } from './errors.ts';

/** Someone who may use the API. */
export interface Caller {
  /** Recorded as the actor of what they change. */
  name: string;
}

/** Finds out who sends a key; null for nobody. */
export type Authenticate = (key: string) => Promise<Caller | null>;

/** Knows the one key of the configuration, as `bootstrap`; takes the same time for any wrong key. */
export function bootstrapKey(apiKey: string): Authenticate {
  const expected = digest(apiKey);
  return (key) =>
    Promise.resolve(timingSafeEqual(digest(key), expected) ? { name: 'bootstrap' } : null);
}

/** Lets a request pass with `Authorization: Bearer <key>` (RFC 6750), and answers 401 otherwise. */
export function requireKey(authenticate: Authenticate): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const header = c.req.header('authorization');
    if (header === undefined) throw unauthorized('An API key is needed', '');
    const key = /^Bearer +([\x21-\x7e]+) *$/iu.exec(header)?.[1];
    const caller = key === undefined ? null : await authenticate(key);
    if (caller === null) {
      throw unauthorized('This API key is not known', ', error="invalid_token"');
    }
    c.set('actor', caller.name);
    await next();
  };
}

function unauthorized(what: string, error: string): ApiError {
  return new ApiError({
    status: 401,
    code: 'unauthorized',
    detail: `${what}; send it as "Authorization: Bearer <key>"`,
    headers: { 'www-authenticate': `Bearer realm="millrace"${error}` },
  });
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

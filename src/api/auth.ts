import type { Context, MiddlewareHandler } from 'hono';

import type { Access } from '../access/access.ts';
import { digestOf } from '../access/apiKeys.ts';
import type { Caller } from '../access/caller.ts';
import { hasScope } from '../rules/hasScope.ts';
import type { Scope } from '../schema/apiKey.ts';
import { readSession, sendSession } from './cookie.ts';
import { refuseCrossSite } from './csrf.ts';
import type { AppEnv } from './env.ts';
import { ApiError } from './errors.ts';
import { takeTurn } from './rateLimit.ts';
import { needOfRequest, type Needs } from './scopes.ts';

/**
 * Lets a request pass if its caller has the scope that the route declares. The caller is identified by
 * `Authorization: Bearer <key>` (RFC 6750), else by a session cookie. Otherwise the answer is 401, 403
 * or, above the rate limit, 429.
 */
export function createGate(access: Access, needed: () => Needs): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const need = needOfRequest(c, needed());
    if (need === 'open') return next();
    const caller = await callerOf(c, access);
    c.set('actor', caller.name);
    c.set('caller', caller);
    takeTurn(c, access.limitOf(caller.id), caller.id);
    const scope = need === null || need === 'any' ? null : need;
    if (scope !== null && !hasScope(caller.scopes, scope)) {
      throw forbidden(scope, `the key ${caller.name} has ${caller.scopes.join(', ')}`);
    }
    c.set('permit', () => access.permits.open({ caller, session: sessionOf(c), scope }));
    access.keyring.touch(caller);
    return next();
  };
}

async function callerOf(c: Context<AppEnv>, access: Access): Promise<Caller> {
  const header = c.req.header('authorization');
  if (header !== undefined) {
    const key = /^Bearer +([\x21-\x7e]+) *$/iu.exec(header)?.[1];
    if (key === undefined) throw unauthorized(`This is not an API key; ${HOW}`);
    return callerOfKey(key, access);
  }
  const token = readSession(c);
  if (token === undefined) throw unauthorized(`An API key is required; ${HOW}`, 'missing');
  const session = await access.sessions.find(token);
  if (session === null) throw unauthorized('This session has ended; sign in again');
  refuseCrossSite(c);
  if (session.moved) sendSession(c, token, access.trustProxy);
  c.set('sessionEndsAt', session.expiresAt);
  return session.caller;
}

/** The hash of the session that authenticates a request; null when it sends a key. */
function sessionOf(c: Context<AppEnv>): Buffer | null {
  const token = c.req.header('authorization') === undefined ? readSession(c) : undefined;
  return token === undefined ? null : digestOf(token);
}

/**
 * Returns the caller that an API key authenticates. Throws a 401 that says why it is refused; `unknown` is the one for
 * a key that there is not.
 */
export async function callerOfKey(
  key: string,
  { keyring }: Pick<Access, 'keyring'>,
  unknown: () => ApiError = REFUSED.unknown,
) {
  const verdict = await keyring.authenticate(key);
  if ('caller' in verdict) return verdict.caller;
  throw verdict.refused === 'unknown' ? unknown() : REFUSED[verdict.refused]();
}

const HOW = 'send one as "Authorization: Bearer <key>"';

/** The 401 for each reason to refuse a key. */
export const REFUSED = {
  unknown: () => unauthorized(`Unknown API key; ${HOW}`),
  expired: () => unauthorized('This API key has expired', 'key_expired'),
  revoked: () => unauthorized('This API key was revoked', 'key_revoked'),
};

/** The 403 for a caller without the scope that is needed. */
export function forbidden(scope: Scope, what: string): ApiError {
  return new ApiError({
    status: 403,
    code: 'forbidden',
    detail: `This requires the scope ${scope}; ${what}`,
    headers: {
      'www-authenticate': `Bearer realm="millrace", error="insufficient_scope", scope="${scope}"`,
    },
  });
}

/** The 401 for a request without a key or session, or with one that is not valid. */
export function unauthorized(
  what: string,
  why: 'missing' | 'unauthorized' | 'key_expired' | 'key_revoked' = 'unauthorized',
): ApiError {
  const error = why === 'missing' ? '' : ', error="invalid_token"';
  return new ApiError({
    status: 401,
    code: why === 'missing' ? 'unauthorized' : why,
    detail: what,
    headers: { 'www-authenticate': `Bearer realm="millrace"${error}` },
  });
}

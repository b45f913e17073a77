import type { Context } from 'hono';

import type { RateLimit } from '../access/rateLimit.ts';
import { ApiError } from './errors.ts';

/**
 * Counts the request and sets the headers of draft-ietf-httpapi-ratelimit-headers-11, which say how many
 * may follow. Throws a 429 above the limit.
 */
export function takeTurn(c: Context, limit: RateLimit | null, caller: string): void {
  if (limit === null) return;
  const { allowed, remaining, waitMs } = limit.spend(caller);
  const seconds = Math.ceil(waitMs / 1_000);
  c.header('RateLimit-Policy', `"key";q=${limit.burst};w=${limit.burst / limit.perSecond}`);
  c.header('RateLimit', `"key";r=${remaining};t=${seconds}`);
  if (allowed) return;
  throw new ApiError({
    status: 429,
    code: 'rate_limited',
    detail: `A key may send ${limit.perSecond} requests per second, ${limit.burst} in a burst`,
    headers: { 'retry-after': String(Math.max(1, seconds)) },
  });
}

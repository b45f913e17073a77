import type { Context } from 'hono';

import { ApiError } from './errors.ts';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Throws a 403 for a change with a session cookie, unless a header proves that a page of the console sent it. */
export function refuseCrossSite(c: Context): void {
  if (SAFE.has(c.req.method) || comesFromUs(c) === true) return;
  throw refused();
}

/**
 * Throws a 403 if a header shows that another site sent the request; programs, which send no such header, may
 * make it.
 */
export function refuseForeignPage(c: Context): void {
  if (comesFromUs(c) === false) throw refused();
}

/**
 * Decides by `Sec-Fetch-Site`, else by `Origin`, which is all that older browsers and pages without TLS
 * send. Other ports of this host are the same site for a cookie, but another origin. Null when both
 * headers are missing.
 */
function comesFromUs(c: Context): boolean | null {
  const site = c.req.header('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin';
  const origin = c.req.header('origin');
  if (origin === undefined) return null;
  return URL.parse(origin)?.host === (c.req.header('host') ?? new URL(c.req.url).host);
}

function refused(): ApiError {
  return new ApiError({
    status: 403,
    code: 'csrf_refused',
    detail:
      'With a session, a change must come from the console (Sec-Fetch-Site: same-origin, or its Origin); a program must send an API key',
  });
}

import type { Context } from 'hono';

import { ApiError } from './errors.ts';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Throws a 403 where a cookie comes with a change that our own page did not send, or nobody says it did. */
export function refuseCrossSite(c: Context): void {
  if (SAFE.has(c.req.method) || comesFromUs(c) === true) return;
  throw refused();
}

/** The same for a request that needs no cookie: programs, which say nothing of a site, may send it. */
export function refuseForeignPage(c: Context): void {
  if (comesFromUs(c) === false) throw refused();
}

/**
 * `Sec-Fetch-Site` decides where a browser sends it; older ones, and pages without TLS, send `Origin`.
 * Other ports of this host are the same site for a cookie, but not the same origin. Null: neither is there.
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
      'With a session, a change must come from our own page (Sec-Fetch-Site: same-origin, or its Origin); programs send an API key',
  });
}

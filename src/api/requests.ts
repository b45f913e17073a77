import type { HttpBindings } from '@hono/node-server';
import type { Context, MiddlewareHandler } from 'hono';

import { isDeeperThan } from '../streams/exactJson.ts';
import { boundBody, decodeUtf8, malformed } from './body.ts';
import type { AppEnv } from './env.ts';
import { ApiError } from './errors.ts';

const URL_CHARS = 8 * 1024;
const HEADERS = 100;
/** Values are checked and printed by recursion, so their depth is bounded. */
const DEPTH = 100;
const BODY_MS = 30_000;

/** Refuses a URL of more than 8,192 characters (414), or more than 100 headers (431). */
export const refuseOversized: MiddlewareHandler<AppEnv> = (c, next) => {
  if (c.req.url.length > URL_CHARS) {
    throw new ApiError({
      status: 414,
      code: 'url_too_long',
      detail: `A URL may have at most ${URL_CHARS} characters`,
    });
  }
  // There is no incoming message when the app is called without a server.
  const { incoming } = (c.env ?? {}) as Partial<HttpBindings>;
  if (incoming !== undefined && incoming.rawHeaders.length > 2 * HEADERS) {
    throw new ApiError({
      status: 431,
      code: 'too_many_headers',
      detail: `A request may have at most ${HEADERS} headers`,
    });
  }
  return next();
};

/**
 * Reads the body ahead of the handlers. Refuses one of more than `maxBytes` for its path (413), one that
 * takes longer than `withinMs` (408), and one that is not UTF-8 or nested deeper than 100 levels (400).
 */
export function readBody(
  maxBytes: (path: string) => number,
  withinMs = BODY_MS,
): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD') {
      const text = await within(withinMs, readText(c, maxBytes(c.req.path)));
      if (isDeeperThan(text, DEPTH)) {
        throw new ApiError({
          status: 400,
          code: 'malformed_json',
          detail: `The body is nested deeper than ${DEPTH} levels`,
        });
      }
    }
    return next();
  };
}

async function readText(c: Context<AppEnv>, maxSize: number): Promise<string> {
  await boundBody(c, maxSize);
  const bytes = await c.req.arrayBuffer(); // as text, bytes that are not UTF-8 would become U+FFFD
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw malformed(cause);
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(tooSlow(ms)), ms);
  work.catch(() => undefined); // fails when the connection is cut after the answer
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function tooSlow(ms: number): ApiError {
  return new ApiError({
    status: 408,
    code: 'request_timeout',
    detail: `The body did not arrive within ${ms / 1_000} s`,
    headers: { connection: 'close' },
  });
}

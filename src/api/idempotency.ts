import { createHash } from 'node:crypto';

import type { Context, MiddlewareHandler } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

import type { Begun, Idempotency, Repeatable, StoredAnswer } from '../access/idempotency.ts';
import { newSeed } from '../db/seed.ts';
import type { AppEnv } from './env.ts';
import { ApiError, type ErrorLog } from './errors.ts';
import { IdempotencyKey } from './route.ts';
import { isServed } from './scopes.ts';
import { fieldErrors, invalid } from './validation.ts';

const CHANGES = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);
/** Headers that are kept with the body of an answer. */
const KEPT = ['content-type', 'location', 'cache-control', 'retry-after'];
/** A larger answer is not kept; a repeated request is then carried out again. */
const ANSWER_BYTES = 4 * 1024 * 1024;

/**
 * Carries out a change (POST, PUT, PATCH, DELETE) with an `Idempotency-Key` once for its caller: a repetition
 * within 24 hours gets the stored answer, with `idempotency-replayed: true`; 409 while the first one runs, 422
 * when the key was used for another request. A failure of the server (5xx) is not stored. Runs after the gate
 * and the body. What a handler creates from `c.var.seed` exists once, even when no answer was stored.
 */
export function createIdempotent(
  idempotency: Idempotency,
  log: ErrorLog,
): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const key = c.req.header('idempotency-key');
    // A sign-in has no caller yet; and a caller without any scope must not fill the table with 404s.
    const hasCaller = c.var.caller !== undefined && isServed(c);
    if (!CHANGES.has(c.req.method)) return next();
    if (key === undefined || !hasCaller) {
      c.set('seed', newSeed());
      return next();
    }
    const request = await repeatable(c, c.var.caller.id, key);
    const begun = await idempotency.begin(request);
    if (begun.kind !== 'run') return answerOf(c, begun, key);
    c.set('seed', begun.seed);
    await next();
    await keep(c, idempotency, request, begun.run).catch((error: unknown) => {
      log.warn(
        { err: error, path: c.req.path },
        'an answer was not stored, so a repeated request is not answered with it',
      );
    });
    return undefined;
  };
}

async function repeatable(c: Context<AppEnv>, caller: string, key: string): Promise<Repeatable> {
  const checked = IdempotencyKey.safeParse({ 'idempotency-key': key });
  if (!checked.success) throw invalid('header', fieldErrors(checked.error.issues));
  const { pathname, search } = new URL(c.req.url);
  const request = createHash('sha256')
    .update(JSON.stringify([pathname, search]))
    .update(await c.req.text())
    .digest();
  return { caller, key, method: c.req.method, path: pathname, request };
}

function answerOf(c: Context, begun: Exclude<Begun, { kind: 'run' }>, key: string): Response {
  if (begun.kind === 'done') {
    const { status, headers, body } = begun.answer;
    const all = { ...headers, 'idempotency-replayed': 'true' };
    return body === ''
      ? c.body(null, status as ContentfulStatusCode, all)
      : c.body(body, status as ContentfulStatusCode, all);
  }
  if (begun.kind === 'running') {
    throw new ApiError({
      status: 409,
      code: 'idempotency_running',
      detail: `The request with the Idempotency-Key ${key} is still running; send it again later`,
      headers: { 'retry-after': '1' },
    });
  }
  throw new ApiError({
    status: 422,
    code: 'idempotency_mismatch',
    detail: `The Idempotency-Key ${key} was used for another request (${begun.method} ${begun.path}); each request needs a key of its own`,
  });
}

async function keep(
  c: Context<AppEnv>,
  idempotency: Idempotency,
  request: Repeatable,
  run: string,
): Promise<void> {
  const answer = c.res.status >= 500 ? null : await copyOf(c.res);
  if (answer === null) await idempotency.release(request, run);
  else await idempotency.finish(request, run, answer);
}

async function copyOf(response: Response): Promise<StoredAnswer | null> {
  const body = await response.clone().text();
  if (Buffer.byteLength(body) > ANSWER_BYTES) return null;
  const headers = KEPT.flatMap((name) => {
    const value = response.headers.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  return { status: response.status, headers: Object.fromEntries(headers), body };
}

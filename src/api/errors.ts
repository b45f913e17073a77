import { STATUS_CODES } from 'node:http';

import type { Context, ErrorHandler, NotFoundHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

import { Unavailable } from '../consumers/commands.ts';
import { isNotMigrated, mayBeRepeated } from '../db/errors.ts';
import { Refusal, type RefusalOptions } from '../db/refusal.ts';
import { docsOf, type ProblemCode } from '../schema/problem.ts';
import { Overloaded } from '../streams/append.ts';
import type { AppEnv } from './env.ts';

/** The fault of one field. */
export interface FieldError {
  /** An RFC 6901 pointer into the body, or `/name` for a parameter. */
  pointer: string;
  detail: string;
  /** Of an expression, where it is wrong; both count from 1. */
  line?: number;
  column?: number;
}

/** The parts of a problem. */
export interface ApiErrorOptions {
  status: ContentfulStatusCode;
  /** Stable, because callers depend on it. */
  code: ProblemCode;
  /** One sentence that names the thing and what is allowed; never a secret. */
  detail: string;
  title?: string;
  errors?: FieldError[];
  headers?: Record<string, string>;
  /** Further members of the problem, for example `oldest_cursor`. */
  extra?: Record<string, unknown>;
  cause?: unknown;
}

/** The API refuses a request; `createOnError` renders it as an RFC 9457 problem. */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly options: ApiErrorOptions;

  constructor(options: ApiErrorOptions) {
    super(options.detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.options = options;
  }
}

/** Seconds after which a caller should repeat a request that failed because of a dependency. */
const RETRY_AFTER = '2';

/** Where errors are logged. */
export interface ErrorLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Renders every error as a problem; an unforeseen one is logged and answered 500 without internals. */
export function createOnError(log: ErrorLog): ErrorHandler<AppEnv> {
  return (error, c) => {
    const known = toApiError(error);
    if (known !== null) {
      if (known.options.status === 503 && known.options.code !== 'not_ready') {
        log.warn({ request_id: c.var.requestId, path: c.req.path, err: error }, known.message);
      }
      return problem(c, known.options);
    }
    log.error({ request_id: c.var.requestId, path: c.req.path, err: error }, 'request failed');
    return problem(c, {
      status: 500,
      code: 'internal',
      detail:
        'An unexpected error occurred in Millrace; its log has the details under this request_id',
    });
  };
}

/** The answer to a path that is not served. */
export const notFound: NotFoundHandler<AppEnv> = (c) =>
  problem(c, { status: 404, code: 'not_found', detail: `There is nothing at ${c.req.path}` });

/** The answer to a path that is served, but not with this method. */
export function methodNotAllowed(c: Context<AppEnv>, methods: string[]): Response {
  const allow = methods.join(', ');
  const detail = `${c.req.path} takes ${allow}`;
  return problem(c, {
    status: 405,
    code: 'method_not_allowed',
    detail,
    headers: { allow },
  });
}

/** The 404 for an id in a path. */
export function unknownId(kind: string, id: string): ApiError {
  return new ApiError({ status: 404, code: 'not_found', detail: `There is no ${kind} ${id}` });
}

/** The API's answer to an expected error; null for any other, which is a bug in Millrace and a 500. */
export function toApiError(error: unknown): ApiError | null {
  if (error instanceof ApiError) return error;
  if (error instanceof Refusal) return fromRefusal(error);
  if (error instanceof Unavailable) {
    return new ApiError({
      status: 503,
      code: 'temporal_unavailable',
      detail: 'Temporal or its workers do not answer; it is safe to send the same request again',
      headers: { 'retry-after': RETRY_AFTER },
    });
  }
  if (error instanceof Overloaded) {
    return new ApiError({
      status: 503,
      code: 'overloaded',
      detail: error.message,
      headers: { 'retry-after': '1' },
      cause: error.cause,
    });
  }
  if (error instanceof HTTPException) return fromHttpException(error);
  if (mayBeRepeated(error) || isNotMigrated(error)) return databaseAway();
  return null;
}

/** The 503 while Postgres does not answer. */
export function databaseAway(): ApiError {
  return new ApiError({
    status: 503,
    code: 'database_unavailable',
    detail: 'Postgres is not available; it is safe to send the same request again',
    headers: { 'retry-after': RETRY_AFTER },
  });
}

function fromRefusal({ options, message }: Refusal): ApiError {
  const { status, code, pointer, extra } = options;
  return new ApiError({
    status,
    code,
    detail: message,
    ...(pointer === undefined ? {} : { errors: [{ pointer, detail: withoutPointer(options) }] }),
    ...(extra === undefined ? {} : { extra }),
  });
}

function withoutPointer({ pointer = '', detail }: RefusalOptions): string {
  return detail.startsWith(`${pointer} `) ? detail.slice(pointer.length + 1) : detail;
}

/** Turns Hono's own errors into those of the API: a body that does not parse, an unsupported media type. */
function fromHttpException(error: HTTPException): ApiError {
  if (error.status === 400) {
    return new ApiError({ status: 400, code: 'malformed_json', detail: 'The body is not JSON' });
  }
  if (error.status === 415) {
    return new ApiError({
      status: 415,
      code: 'unsupported_media_type',
      detail: 'The body must be sent as content-type: application/json',
    });
  }
  return new ApiError({
    status: error.status,
    code: 'request_refused',
    detail: error.message,
  });
}

function problem(c: Context<AppEnv>, options: ApiErrorOptions): Response {
  return c.body(problemText(options, c.var.requestId), options.status, {
    ...options.headers,
    'content-type': 'application/problem+json',
  });
}

/** The problem as JSON in one line. */
export function problemText(options: ApiErrorOptions, requestId: string): string {
  return JSON.stringify({
    type: `urn:millrace:problem:${options.code}`,
    title: options.title ?? STATUS_CODES[options.status] ?? 'Error',
    status: options.status,
    detail: options.detail,
    code: options.code,
    request_id: requestId,
    docs: docsOf(options.code),
    ...(options.errors === undefined ? {} : { errors: options.errors }),
    ...options.extra,
  });
}

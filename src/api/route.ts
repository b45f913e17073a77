import { STATUS_CODES } from 'node:http';

import { z, OpenAPIHono, type RouteConfig } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';

import { readPlace, textOfPlace, type ListPage } from '../db/keyset.ts';
import { Uuid } from '../schema/fields.ts';
import { Problem } from '../schema/problem.ts';
import { needMedia } from './body.ts';
import type { AppEnv } from './env.ts';
import { methodNotAllowed } from './errors.ts';
import { refuseInvalid } from './validation.ts';

/** Creates a sub-app that answers invalid input, and a missing required body, with problems. */
export function createRoutes(): OpenAPIHono<AppEnv> {
  const app = new OpenAPIHono<AppEnv>({ defaultHook: refuseInvalid });
  const register = app.openapi;
  app.openapi = ((route: RouteConfig, ...rest: unknown[]) => {
    const { body } = route.request ?? {};
    const needs = body?.required === true && Object.keys(body.content).join() === JSON_TYPE;
    const checked = needs ? { ...route, middleware: needJson } : route;
    return (register as (...args: unknown[]) => unknown)(checked, ...rest);
  }) as typeof app.openapi;
  return app;
}

const JSON_TYPE = 'application/json';

/** Requires a content-type: without one, the router would take a body as `{}`. */
const needJson: MiddlewareHandler<AppEnv> = (c, next) => {
  needMedia(c, JSON_TYPE);
  return next();
};

/** Answers 405 at `path` to methods that a route with an id would match. Call it after its routes. */
export function takesOnly(app: OpenAPIHono<AppEnv>, path: string, ...methods: string[]): void {
  app.all(path.replaceAll(/\{(\w+)\}/gu, ':$1'), (c) => methodNotAllowed(c, methods));
}

/** A JSON answer, for `createRoute`. */
export function json<T extends z.ZodType>(
  schema: T,
  description: string,
): { content: { 'application/json': { schema: T } }; description: string } {
  return { content: { 'application/json': { schema } }, description };
}

/** A required JSON body, for `createRoute`. */
export function jsonBody<T extends z.ZodType>(
  schema: T,
): { content: { 'application/json': { schema: T } }; required: true } {
  return { content: { 'application/json': { schema } }, required: true };
}

type ProblemContent = { content: { 'application/problem+json': { schema: typeof Problem } } };
type ProblemResponse = ProblemContent & { description: string };

/** The problems of a route: `statuses`, and 401, 403, 429 and 503, which all routes have. */
export function problems(...statuses: number[]): Record<string, ProblemResponse> {
  const all = [401, 403, ...statuses, 429, 503].map((status) => [
    String(status),
    {
      content: { 'application/problem+json': { schema: Problem } },
      description: STATUS_CODES[status] ?? 'Error',
    },
  ]);
  return Object.fromEntries(all) as Record<string, ProblemResponse>;
}

/** The id in a path. */
export const IdParam = z.object({ id: Uuid });

/** The header `Idempotency-Key`, which the document describes for all routes that take it. */
export const IdempotencyKey = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/u, 'must be 1–255 visible ASCII characters')
    .optional(),
});

/** The query parameters of every list that is newest first. */
export const listFields = {
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z
    .string()
    .max(512)
    .optional()
    .meta({ description: '`next_cursor` of the previous page' })
    .transform((text, c) => {
      const key = text === undefined ? null : readPlace(text);
      if (text !== undefined && key === null) {
        c.addIssue({ code: 'custom', message: 'is not a cursor of this list' });
      }
      return key;
    }),
};

/** The query of a list without filters. */
export const ListQuery = z.strictObject(listFields);

/** The schema of a page, `{ data, next_cursor }`. */
export function pageOf<T extends z.ZodType>(
  item: T,
): z.ZodObject<{ data: z.ZodArray<T>; next_cursor: z.ZodNullable<z.ZodString> }> {
  return z.object({ data: z.array(item), next_cursor: z.string().nullable() });
}

/** Turns a page of a store into the form of the API. */
export function toList<T>(page: ListPage<T>): { data: T[]; next_cursor: string | null } {
  return { data: page.data, next_cursor: page.next === null ? null : textOfPlace(page.next) };
}

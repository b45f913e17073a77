import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import type { ParkedList } from '../attempts/parkedList.ts';
import type { Consumers } from '../consumers/consumers.ts';
import { ParkedEntry } from '../schema/deadLetter.ts';
import { needConsumer } from './consumers.ts';
import type { AppEnv } from './env.ts';
import { createRoutes, IdParam, json, listFields, pageOf, problems } from './route.ts';
import { needs } from './scopes.ts';

/** `GET /v1/consumers/{id}/parked`. */
export function createParkedRoutes(deps: {
  consumers: Pick<Consumers, 'streamOf'>;
  parked: ParkedList;
}): OpenAPIHono<AppEnv> {
  const { consumers, parked } = deps;
  const app = createRoutes();

  app.openapi(LIST, async (c) => {
    const { id } = c.req.valid('param');
    await needConsumer(consumers, id);
    const { limit, cursor } = c.req.valid('query');
    const { data, next } = await parked.list({ consumerId: id, limit, after: cursor });
    const next_cursor = next === null ? null : Buffer.from(String(next)).toString('base64url');
    return c.json({ data, next_cursor }, 200);
  });

  return app;
}

/** The list is sorted by position, so a cursor is one. */
const cursor = z
  .string()
  .max(512)
  .optional()
  .meta({ description: '`next_cursor` of the previous page' })
  .transform((text, c): number | null => {
    if (text === undefined) return null;
    const position = Buffer.from(text, 'base64url').toString('utf8');
    if (/^\d{1,15}$/u.test(position)) return Number(position);
    c.addIssue({ code: 'custom', message: 'is not a cursor of this list' });
    return z.NEVER;
  });

const LIST = createRoute({
  tags: ['Dead letters'],
  security: needs('read'),
  method: 'get',
  path: '/v1/consumers/{id}/parked',
  summary: 'List parked entries',
  description:
    'Entries that the endpoint refused while it accepted others. They are retried beside the others until they are delivered or become dead letters. The highest position first.',
  request: { params: IdParam, query: z.strictObject({ limit: listFields.limit, cursor }) },
  responses: { 200: json(pageOf(ParkedEntry), 'A page of parked entries'), ...problems(400, 404) },
});

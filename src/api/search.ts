import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import { text } from '../schema/fields.ts';
import { SearchResult } from '../schema/search.ts';
import type { Search } from '../search/search.ts';
import type { AppEnv } from './env.ts';
import { createRoutes, json, problems } from './route.ts';
import { needs } from './scopes.ts';

/** `/v1/search`: anything by a text. */
export function createSearchRoutes({ search }: { search: Search }): OpenAPIHono<AppEnv> {
  const app = createRoutes();
  app.openapi(SEARCH, async (c) => {
    const { q, limit } = c.req.valid('query');
    return c.json(await search.find(q, limit), 200);
  });
  return app;
}

const SEARCH = createRoute({
  tags: ['Search'],
  security: needs('read'),
  method: 'get',
  path: '/v1/search',
  summary: 'Find anything by a name or an id',
  description:
    'Consumers, targets and sources are found by the beginning of their id, of their name, or of a word within it; syncs by ' +
    'the beginning of their id or name (a new one within a minute); records by their whole `upstream_id`; events by ' +
    'their `event_id`, and by the `upstream_id` of their record if they are among the newest 10,000; entries of both ' +
    'streams by the `webhook-id` of their webhooks, on the records stream as long as that version is the latest; ' +
    'batches by their `webhook-id`, as long as their attempts are kept; where nothing else is found, the newest entries of ' +
    'both streams that were appended in a trace, among the newest 10,000, by its id or a `traceparent`. ' +
    'The case of names and syncs does not matter.',
  request: {
    query: z.strictObject({
      q: z
        .string()
        .trim()
        .pipe(text(1024))
        .meta({ description: 'The text to find; spaces around it are ignored', example: 'cus_1' }),
      limit: z.coerce
        .number()
        .int()
        .min(1)
        .max(20)
        .default(5)
        .meta({ description: 'The maximum number of results of each kind' }),
    }),
  },
  responses: { 200: json(SearchResult, 'What was found'), ...problems(400) },
});

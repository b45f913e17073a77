import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import { Uuid } from '../schema/fields.ts';
import { Overview, OverviewRange, Troubles } from '../schema/overview.ts';
import type { Overviews } from '../telemetry/overview.ts';
import type { AppEnv } from './env.ts';
import { createRoutes, json, problems } from './route.ts';
import { needs } from './scopes.ts';

/** `/v1/overview` and `/v1/troubles`: all consumers together, however many they are. */
export function createOverviewRoutes({ overviews }: { overviews: Overviews }): OpenAPIHono<AppEnv> {
  const app = createRoutes();
  app.openapi(OVERVIEW, async (c) => c.json(await overviews.read(c.req.valid('query').range), 200));
  app.openapi(TROUBLES, async (c) => {
    const { target_id: id } = c.req.valid('query');
    return c.json(await (id === undefined ? overviews.troubles() : overviews.troublesOf(id)), 200);
  });
  return app;
}

const about = { tags: ['Process'] };

const OVERVIEW = createRoute({
  ...about,
  method: 'get',
  security: needs('read'),
  path: '/v1/overview',
  summary: 'Read the metrics of all consumers over time',
  description:
    'Attempts are counted once, by the minute, and counts are exact. An answer is cached for some ' +
    'seconds, and for a minute where it spans seven days. The series and the lists in `top` ' +
    'cover the same time: from a full hour, `since`, which is up to two hours before the range ' +
    'would begin, until now.',
  request: { query: z.strictObject({ range: OverviewRange.default('1h') }) },
  responses: { 200: json(Overview, 'The series and the lists'), ...problems(400) },
});

const TROUBLES = createRoute({
  ...about,
  method: 'get',
  security: needs('read'),
  path: '/v1/troubles',
  summary: 'List what keeps consumers from sending, by target and cause',
  description: 'An answer for all targets is cached for 2 s.',
  request: {
    query: z.strictObject({
      target_id: Uuid.optional().meta({ description: 'Only the consumers of this target' }),
    }),
  },
  responses: { 200: json(Troubles, 'The troubles'), ...problems(400) },
});

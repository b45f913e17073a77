import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import type { Changes } from '../consumers/changes.ts';
import { Change } from '../schema/consumer.ts';
import { Uuid } from '../schema/fields.ts';
import { Info } from '../schema/info.ts';
import type { AppEnv } from './env.ts';
import { createRoutes, json, listFields, pageOf, problems, toList } from './route.ts';
import { needs } from './scopes.ts';

/** `/v1/info` and `/v1/changes`. */
export function createInfoRoutes(deps: { info: Info; changes: Changes }): OpenAPIHono<AppEnv> {
  const app = createRoutes();

  app.openapi(INFO, (c) => c.json(deps.info, 200));

  app.openapi(CHANGES, async (c) => {
    const { consumer_id, limit, cursor } = c.req.valid('query');
    const page = await deps.changes.list({ consumerId: consumer_id, limit, after: cursor });
    return c.json(toList(page), 200);
  });

  return app;
}

const INFO = createRoute({
  tags: ['Process'],
  security: needs('read'),
  method: 'get',
  path: '/v1/info',
  summary: 'Read version, region and settings',
  responses: { 200: json(Info, 'The settings'), ...problems() },
});

const CHANGES = createRoute({
  tags: ['Consumers'],
  security: needs('read'),
  method: 'get',
  path: '/v1/changes',
  summary: 'List changes of consumers, newest first',
  request: { query: z.strictObject({ consumer_id: Uuid.optional(), ...listFields }) },
  responses: { 200: json(pageOf(Change), 'A page of changes'), ...problems(400) },
});

import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import type { AlertsList } from '../alerts/alertsList.ts';
import type { Consumers } from '../consumers/consumers.ts';
import { Alert, AlertKind } from '../schema/alert.ts';
import { Uuid } from '../schema/fields.ts';
import { needConsumer } from './consumers.ts';
import type { AppEnv } from './env.ts';
import { createRoutes, IdParam, json, listFields, pageOf, problems, toList } from './route.ts';
import { needs } from './scopes.ts';

/** `GET /v1/alerts`, and the alerts of one consumer. */
export function createAlertRoutes(deps: {
  consumers: Pick<Consumers, 'streamOf'>;
  alerts: AlertsList;
}): OpenAPIHono<AppEnv> {
  const { consumers, alerts } = deps;
  const app = createRoutes();

  app.openapi(OF_CONSUMER, async (c) => {
    const { id } = c.req.valid('param');
    await needConsumer(consumers, id);
    const { kind, limit, cursor } = c.req.valid('query');
    return c.json(toList(await alerts.list({ consumerId: id, kind, limit, after: cursor })), 200);
  });

  app.openapi(ALL, async (c) => {
    const { consumer_id, kind, limit, cursor } = c.req.valid('query');
    const page = await alerts.list({ consumerId: consumer_id, kind, limit, after: cursor });
    return c.json(toList(page), 200);
  });

  return app;
}

const about = { tags: ['Alerts'], security: needs('read'), method: 'get' as const };
const fields = { kind: AlertKind.optional(), ...listFields };

const OF_CONSUMER = createRoute({
  ...about,
  path: '/v1/consumers/{id}/alerts',
  summary: 'List the alerts of a consumer, newest first',
  request: { params: IdParam, query: z.strictObject(fields) },
  responses: { 200: json(pageOf(Alert), 'A page of alerts'), ...problems(400, 404) },
});

const ALL = createRoute({
  ...about,
  path: '/v1/alerts',
  summary: 'List all alerts, newest first',
  description: 'Includes alerts of consumers that have been deleted since.',
  request: { query: z.strictObject({ consumer_id: Uuid.optional(), ...fields }) },
  responses: { 200: json(pageOf(Alert), 'A page of alerts'), ...problems(400) },
});

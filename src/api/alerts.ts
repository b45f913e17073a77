import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';

import type { AlertsList } from '../alerts/alertsList.ts';
import type { TestAlert } from '../alerts/testAlert.ts';
import type { Consumers } from '../consumers/consumers.ts';
import { hasScope } from '../rules/hasScope.ts';
import { Alert, AlertKind } from '../schema/alert.ts';
import { AlertTest, AlertTestInput } from '../schema/alertTest.ts';
import { Uuid } from '../schema/fields.ts';
import { needConsumer } from './consumers.ts';
import type { AppEnv } from './env.ts';
import { ApiError } from './errors.ts';
import {
  createRoutes,
  IdParam,
  json,
  jsonBody,
  listFields,
  pageOf,
  problems,
  takesOnly,
  toList,
} from './route.ts';
import { needs } from './scopes.ts';

/** `GET /v1/alerts`, and the alerts of one consumer. */
export function createAlertRoutes(deps: {
  consumers: Pick<Consumers, 'streamOf'>;
  alerts: AlertsList;
  testAlert: TestAlert;
}): OpenAPIHono<AppEnv> {
  const { consumers, alerts } = deps;
  const app = createRoutes();

  app.openapi(TEST, async (c) => {
    const { to } = AlertTestInput.parse(c.req.valid('json')); // no body: {}
    const asked = { id: c.var.seed.id, recipient: to ?? null, actor: c.var.actor };
    const tested = await deps.testAlert(asked);
    if (typeof tested === 'string') throw noWorker(tested);
    return c.json(tested, 200);
  });

  takesOnly(app, TEST.path, 'POST');

  app.openapi(OF_CONSUMER, async (c) => {
    const { id } = c.req.valid('param');
    await needConsumer(consumers, id);
    const { kind, limit, cursor } = c.req.valid('query');
    const query = { consumerId: id, kind, limit, after: cursor };
    return c.json(toList(await alerts.list({ ...query, withAddresses: manages(c) })), 200);
  });

  app.openapi(ALL, async (c) => {
    const { consumer_id, source_id, kind, limit, cursor } = c.req.valid('query');
    const query = { consumerId: consumer_id, sourceId: source_id, kind, limit, after: cursor };
    return c.json(toList(await alerts.list({ ...query, withAddresses: manages(c) })), 200);
  });

  return app;
}

/** Whether the caller may see, and change, who gets alerts. */
function manages(c: Context<AppEnv>): boolean {
  return hasScope(c.var.caller.scopes, 'manage');
}

function noWorker(why: 'not taken' | 'no result'): ApiError {
  const detail =
    why === 'not taken'
      ? 'No worker has taken the test alert, so nothing was sent. Alerts are sent by worker.ts: check that one is running'
      : 'The worker that took the test alert has not reported the outcome; its log may show it';
  return new ApiError({ status: 503, code: 'worker_unavailable', detail });
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
  description:
    'Includes alerts of consumers that have been deleted since, but not those of deleted sources.',
  request: {
    query: z.strictObject({
      consumer_id: Uuid.optional(),
      source_id: Uuid.optional(),
      ...fields,
    }),
  },
  responses: { 200: json(pageOf(Alert), 'A page of alerts'), ...problems(400) },
});

const TEST = createRoute({
  tags: ['Alerts'],
  security: needs('manage'),
  method: 'post',
  path: '/v1/alerts/test',
  summary: 'Send a test alert',
  description:
    'A worker sends a test mail to the default addresses (MILLRACE_ALERT_EMAIL), or to the given one, and a ' +
    'test to the alert webhook if there is one, with the settings of that worker. The answer is 200 whatever ' +
    'the outcome, and comes within 32 s; it is 503 when no worker takes the test.',
  request: { body: { ...jsonBody(AlertTestInput), required: false } },
  responses: { 200: json(AlertTest, 'The outcome'), ...problems(400, 413, 415, 422) },
});

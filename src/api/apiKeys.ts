import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';

import type { Access } from '../access/access.ts';
import { ApiKey, ApiKeyInput, NewApiKey } from '../schema/apiKey.ts';
import type { AppEnv } from './env.ts';
import { unknownId } from './errors.ts';
import {
  createRoutes,
  IdParam,
  json,
  jsonBody,
  ListQuery,
  pageOf,
  problems,
  toList,
} from './route.ts';
import { needs } from './scopes.ts';

/** `/v1/api-keys`. */
export function createApiKeyRoutes({
  apiKeys,
  keyring,
}: Pick<Access, 'apiKeys' | 'keyring'>): OpenAPIHono<AppEnv> {
  const app = createRoutes();

  app.openapi(CREATE, async (c) => {
    const created = await apiKeys.create(c.req.valid('json'), c.var.actor, c.var.seed);
    return c.json(created, 201, {
      location: `/v1/api-keys/${created.id}`,
      'cache-control': 'no-store',
    });
  });

  app.openapi(LIST, async (c) => {
    const { limit, cursor } = c.req.valid('query');
    return c.json(toList(await apiKeys.list({ limit, after: cursor })), 200);
  });

  app.openapi(GET, async (c) => {
    const { id } = c.req.valid('param');
    const found = await apiKeys.get(id);
    if (found === null) throw unknownId('API key', id);
    return c.json(found, 200);
  });

  app.openapi(REVOKE, async (c) => {
    const { id } = c.req.valid('param');
    if (!(await apiKeys.revoke(id))) throw unknownId('API key', id);
    keyring.forget(); // immediately in this process; the others are notified
    return c.body(null, 204);
  });

  return app;
}

const about = { tags: ['API keys'], security: needs('manage') };

const CREATE = createRoute({
  ...about,
  method: 'post',
  path: '/v1/api-keys',
  summary: 'Create an API key',
  description: 'Only this answer shows the key: Millrace stores its hash alone.',
  request: { body: jsonBody(ApiKeyInput) },
  responses: {
    201: json(NewApiKey, 'The key, which is shown only once'),
    ...problems(400, 413, 415, 422),
  },
});

const LIST = createRoute({
  ...about,
  method: 'get',
  path: '/v1/api-keys',
  summary: 'List API keys, newest first',
  description: 'Includes revoked keys, but not the key of MILLRACE_API_KEY.',
  request: { query: ListQuery },
  responses: { 200: json(pageOf(ApiKey), 'A page of keys'), ...problems(400) },
});

const GET = createRoute({
  ...about,
  method: 'get',
  path: '/v1/api-keys/{id}',
  summary: 'Read an API key',
  request: { params: IdParam },
  responses: { 200: json(ApiKey, 'The key'), ...problems(404) },
});

const REVOKE = createRoute({
  ...about,
  method: 'delete',
  path: '/v1/api-keys/{id}',
  summary: 'Revoke an API key',
  description: 'The key and its sessions are refused everywhere within five seconds.',
  request: { params: IdParam },
  responses: { 204: { description: 'Revoked' }, ...problems(404) },
});

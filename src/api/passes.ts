import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';

import { Pass, PassCompleted, PassCompletion, PassInput } from '../schema/pass.ts';
import type { Passes } from '../streams/passes.ts';
import type { AppEnv } from './env.ts';
import { unknownId } from './errors.ts';
import { createRoutes, IdParam, json, jsonBody, problems } from './route.ts';
import { needs } from './scopes.ts';

/** `/v1/passes`. */
export function createPassRoutes({ passes }: { passes: Passes }): OpenAPIHono<AppEnv> {
  const app = createRoutes();

  app.openapi(CREATE, async (c) => {
    const { sync_id: syncId, collection_id: collectionId } = c.req.valid('json');
    const pass = await passes.begin({ id: c.var.seed.id, syncId, collectionId });
    return c.json(pass, 201, { location: `/v1/passes/${pass.id}` });
  });

  app.openapi(GET, async (c) => {
    const { id } = c.req.valid('param');
    const pass = await passes.get(id);
    if (pass === null) throw unknownId('pass', id);
    return c.json(pass, 200);
  });

  app.openapi(COMPLETE, async (c) => {
    const { id } = c.req.valid('param');
    const { confirm = false } = PassCompletion.parse(c.req.valid('json')); // no body: {}
    const completed = await passes.complete(id, confirm);
    if (completed === null) throw unknownId('pass', id);
    return c.json(completed, 200);
  });

  return app;
}

const about = { tags: ['Streams'] };

const CREATE = createRoute({
  ...about,
  method: 'post',
  security: needs('ingest'),
  path: '/v1/passes',
  summary: 'Begin a full pass',
  description:
    'Send all records of the collection with its id as `pass_id`, then complete it: what did not come becomes deleted. It ends any other pass of the collection that is not completed.',
  request: { body: jsonBody(PassInput) },
  responses: { 201: json(Pass, 'The pass'), ...problems(400, 413, 415, 422) },
});

const GET = createRoute({
  ...about,
  method: 'get',
  security: needs('read'),
  path: '/v1/passes/{id}',
  summary: 'Get a full pass',
  request: { params: IdParam },
  responses: { 200: json(Pass, 'The pass'), ...problems(404) },
});

const COMPLETE = createRoute({
  ...about,
  method: 'post',
  security: needs('ingest'),
  path: '/v1/passes/{id}/complete',
  summary: 'Complete a full pass',
  description:
    'Deletes the records of the collection that neither came in the pass nor were written since it began. Where that is more than a fifth of them, it deletes nothing and answers 409 `too_many_deletes`, with their `count`, unless `confirm` is true. If the answer does not arrive, send the request again: it goes on where it was, and a completed pass answers the same again.',
  request: { params: IdParam, body: { ...jsonBody(PassCompletion), required: false } },
  responses: {
    200: json(PassCompleted, 'The records that it has deleted, and those that are left'),
    ...problems(400, 404, 409, 413, 415, 422),
  },
});

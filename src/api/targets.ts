import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import { text } from '../schema/fields.ts';
import { SecretRotation, Target, TargetInput, TargetPatch } from '../schema/target.ts';
import { TargetTest } from '../schema/targetTest.ts';
import { refuseUnreadable, type Targets } from '../targets/targets.ts';
import type { TestTarget } from '../targets/testTarget.ts';
import type { AppEnv } from './env.ts';
import { unknownId } from './errors.ts';
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

/** `/v1/targets`. */
export function createTargetRoutes({
  targets,
  testTarget,
  untilInForce,
}: {
  targets: Targets;
  testTarget: TestTarget;
  /** Waits until no request uses an older version of the target. */
  untilInForce: (targetId: string) => Promise<void>;
}): OpenAPIHono<AppEnv> {
  const app = createRoutes();

  app.openapi(TEST_DRAFT, async (c) =>
    c.json(await testTarget(targets.openDraft(c.req.valid('json')), c.var.seed.id), 200),
  );

  takesOnly(app, TEST_DRAFT.path, 'POST');

  app.openapi(TEST, async (c) => {
    const { id } = c.req.valid('param');
    const target = await targets.open(id);
    if (target === null) throw unknownId('target', id);
    const tested = await testTarget(target, c.var.seed.id).catch(refuseUnreadable);
    if (tested.outcome === 'delivered') await targets.tested(id, c.var.actor);
    return c.json(tested, 200);
  });

  app.openapi(ROTATE, async (c) => {
    const { id } = c.req.valid('param');
    const { expires_in } = SecretRotation.parse(c.req.valid('json')); // no body: {}
    const target = await targets.rotateSecret(id, expires_in, c.var.seed);
    if (target === null) throw unknownId('target', id);
    await untilInForce(id);
    return c.json(target, 200, { 'cache-control': 'no-store' });
  });

  app.openapi(CREATE, async (c) => {
    const target = await targets.create(c.req.valid('json'), c.var.seed);
    // The answer holds the signing secret, so nothing on the way may keep it.
    return c.json(target, 201, {
      location: `/v1/targets/${target.id}`,
      'cache-control': 'no-store',
    });
  });

  app.openapi(LIST, async (c) => {
    const { cursor, ...query } = c.req.valid('query');
    return c.json(toList(await targets.list({ ...query, after: cursor })), 200);
  });

  app.openapi(GET, async (c) => {
    const { id } = c.req.valid('param');
    const target = await targets.get(id);
    if (target === null) throw unknownId('target', id);
    return c.json(target, 200);
  });

  app.openapi(PATCH, async (c) => {
    const { id } = c.req.valid('param');
    const target = await targets.patch(id, c.req.valid('json'));
    if (target === null) throw unknownId('target', id);
    await untilInForce(id);
    return c.json(target, 200);
  });

  app.openapi(DELETE, async (c) => {
    const { id } = c.req.valid('param');
    if (!(await targets.remove(id))) throw unknownId('target', id);
    return c.body(null, 204);
  });

  return app;
}

const about = { tags: ['Targets'] };

const CREATE = createRoute({
  ...about,
  method: 'post',
  security: needs('manage'),
  path: '/v1/targets',
  summary: 'Create a target',
  request: { body: jsonBody(TargetInput) },
  responses: {
    201: json(Target, 'The target; only this answer shows its whole signing secret'),
    ...problems(400, 413, 415, 422),
  },
});

const LIST = createRoute({
  ...about,
  method: 'get',
  security: needs('read'),
  path: '/v1/targets',
  summary: 'List targets, newest first',
  request: {
    query: z.strictObject({
      q: text(2048).optional().meta({
        description: 'Part of its name, its base URL or its id, in any case',
      }),
      ...listFields,
    }),
  },
  responses: { 200: json(pageOf(Target), 'A page of targets'), ...problems(400) },
});

const GET = createRoute({
  ...about,
  method: 'get',
  security: needs('read'),
  path: '/v1/targets/{id}',
  summary: 'Read a target',
  request: { params: IdParam },
  responses: { 200: json(Target, 'The target'), ...problems(404) },
});

const PATCH = createRoute({
  ...about,
  method: 'patch',
  security: needs('manage'),
  path: '/v1/targets/{id}',
  summary: 'Change a target',
  description:
    'Replaces the given fields. A secret that is sent back masked stays as it is stored, and so do ' +
    'credentials of the type `unreadable`. Answered once no request can start with the former settings any more.',
  request: { params: IdParam, body: jsonBody(TargetPatch) },
  responses: { 200: json(Target, 'The target'), ...problems(400, 404, 413, 415, 422) },
});

const DELETE = createRoute({
  ...about,
  method: 'delete',
  security: needs('manage'),
  path: '/v1/targets/{id}',
  summary: 'Delete a target',
  description: 'Refused with a 409 that names the consumers while any consumer uses it.',
  request: { params: IdParam },
  responses: { 204: { description: 'Deleted' }, ...problems(404, 409) },
});

const ROTATE = createRoute({
  ...about,
  security: needs('manage'),
  method: 'post',
  path: '/v1/targets/{id}/rotate-secret',
  summary: 'Create a new signing secret',
  description:
    'The current secret signs as well until it expires, unless it can not be read; a secret from an earlier ' +
    'rotation ends immediately. Answered once every request that starts is signed with the new secret.',
  request: { params: IdParam, body: { ...jsonBody(SecretRotation), required: false } },
  responses: {
    200: json(Target, 'The target; only this answer shows its whole new signing secret'),
    ...problems(400, 404, 413, 415, 422),
  },
});

const TEST = createRoute({
  ...about,
  method: 'post',
  security: needs('manage'),
  path: '/v1/targets/{id}/test',
  summary: 'Send a test webhook',
  description:
    'Sends a signed webhook with the body {"test":{…}}. The answer is 200 whatever the endpoint ' +
    'answers. If it accepts the webhook, blocked consumers of the target retry immediately. After a ' +
    'timeout, the test waits twice as long again, up to 30 s, and `detail` says whether the endpoint answers ' +
    'late. 409 when a part of the target can not be read; its health says which.',
  request: { params: IdParam },
  responses: { 200: json(TargetTest, 'The outcome'), ...problems(404, 409) },
});

const TEST_DRAFT = createRoute({
  ...about,
  method: 'post',
  security: needs('manage'),
  path: '/v1/targets/test',
  summary: 'Send a test webhook to a target that is not stored',
  request: { body: jsonBody(TargetInput) },
  responses: { 200: json(TargetTest, 'The outcome'), ...problems(400, 413, 415, 422) },
});

import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import type { DeadLetters } from '../attempts/deadLetters.ts';
import type { Consumers } from '../consumers/consumers.ts';
import {
  AnsweredStatus,
  DeadLetter,
  DeadLetterGroup,
  DeadLetterWithBody,
  Queued,
  ReplayInput,
  ResendInput,
} from '../schema/deadLetter.ts';
import { UpstreamId, Uuid } from '../schema/fields.ts';
import { needConsumer } from './consumers.ts';
import type { AppEnv } from './env.ts';
import { unknownId } from './errors.ts';
import type { GiveCommand } from './giveCommand.ts';
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

/** The dead letters of a consumer, and the commands that send entries again. */
export function createDeadLetterRoutes(deps: {
  consumers: Consumers;
  deadLetters: DeadLetters;
  give: GiveCommand;
}): OpenAPIHono<AppEnv> {
  const { consumers, deadLetters, give } = deps;
  const app = createRoutes();

  app.openapi(REPLAY, async (c) => {
    const { id } = c.req.valid('param');
    await needConsumer(consumers, id);
    const input = c.req.valid('json');
    const ids = 'ids' in input ? input.ids : null;
    return c.json({ count: await give(c, id, 'replay', { kind: 'replay', ids }) }, 202);
  });

  takesOnly(app, REPLAY.path, 'POST');

  app.openapi(LIST, async (c) => {
    const { id } = c.req.valid('param');
    await needConsumer(consumers, id);
    const { upstream_id, code, status, limit, cursor } = c.req.valid('query');
    const query = { consumerId: id, upstreamId: upstream_id, code, status, limit, after: cursor };
    return c.json(toList(await deadLetters.list(query)), 200);
  });

  // Registered before the route below, which would take `groups` for an id.
  app.openapi(GROUPS, async (c) => {
    const { id } = c.req.valid('param');
    await needConsumer(consumers, id);
    return c.json({ data: await deadLetters.groups(id) }, 200);
  });

  takesOnly(app, GROUPS.path, 'GET', 'HEAD');

  app.openapi(GET, async (c) => {
    const { id, letter } = c.req.valid('param');
    const found = await deadLetters.get(id, letter);
    if (found === null) throw unknownId('dead letter', letter);
    return c.json(found, 200);
  });

  app.openapi(DELETE, async (c) => {
    const { id, letter } = c.req.valid('param');
    if (!(await deadLetters.remove(id, letter))) throw unknownId('dead letter', letter);
    return c.body(null, 204);
  });

  app.openapi(RESEND, async (c) => {
    const { id } = c.req.valid('param');
    await needConsumer(consumers, id);
    const { position } = c.req.valid('json');
    return c.json({ count: await give(c, id, 'resend', { kind: 'resend', position }) }, 202);
  });

  return app;
}

const about = { tags: ['Dead letters'] };
const base = '/v1/consumers/{id}/dead-letters';
const LetterParam = z.object({ id: Uuid, letter: Uuid });

const LIST = createRoute({
  ...about,
  method: 'get',
  security: needs('read'),
  path: base,
  summary: 'List dead letters',
  description: 'Entries that the endpoint kept rejecting while it accepted others, newest first.',
  request: {
    params: IdParam,
    query: z.strictObject({
      upstream_id: UpstreamId.optional(),
      code: z
        .string()
        .min(1)
        .max(64)
        .optional()
        .meta({ description: 'Error code of the last failure', example: 'HTTP_4XX' }),
      status: AnsweredStatus.optional(),
      ...listFields,
    }),
  },
  responses: { 200: json(pageOf(DeadLetter), 'A page of dead letters'), ...problems(400, 404) },
});

const GROUPS = createRoute({
  ...about,
  method: 'get',
  security: needs('read'),
  path: `${base}/groups`,
  summary: 'Group dead letters by their failure',
  description: 'Groups by error code and status of the last failure, the largest group first.',
  request: { params: IdParam },
  responses: {
    200: json(z.object({ data: z.array(DeadLetterGroup) }), 'The groups'),
    ...problems(404),
  },
});

const GET = createRoute({
  ...about,
  method: 'get',
  security: needs('read'),
  path: `${base}/{letter}`,
  summary: 'Read a dead letter',
  description:
    'Includes the whole body of the entry, which is what was refused unless the consumer has another `body`, and the last answer.',
  request: { params: LetterParam },
  responses: { 200: json(DeadLetterWithBody, 'The dead letter'), ...problems(400, 404) },
});

const DELETE = createRoute({
  ...about,
  method: 'delete',
  security: needs('manage'),
  path: `${base}/{letter}`,
  summary: 'Delete a dead letter',
  request: { params: LetterParam },
  responses: { 204: { description: 'Deleted' }, ...problems(400, 404) },
});

const REPLAY = createRoute({
  ...about,
  method: 'post',
  security: needs('manage'),
  path: `${base}/replay`,
  summary: 'Send dead letters again',
  description:
    'They are sent in order, each with a new retry window, as soon as the consumer is active.',
  request: { params: IdParam, body: jsonBody(ReplayInput) },
  responses: {
    202: json(Queued, 'The number of entries that were queued'),
    ...problems(400, 404, 409, 413, 415, 422),
  },
});

const RESEND = createRoute({
  ...about,
  method: 'post',
  security: needs('manage'),
  path: '/v1/consumers/{id}/resend',
  summary: 'Send one entry again',
  description:
    'Sends the entry as it is in the stream. Later entries of its record wait until it is delivered.',
  request: { params: IdParam, body: jsonBody(ResendInput) },
  responses: {
    202: json(Queued, 'The number of entries that were queued'),
    ...problems(400, 404, 409, 413, 415, 422),
  },
});

import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import type { ConsumerFilter } from '../consumers/consumerQuery.ts';
import type { Consumers } from '../consumers/consumers.ts';
import { readRankedPlace, textOfRankedPlace } from '../consumers/rankedPlace.ts';
import { readPlace } from '../db/keyset.ts';
import { refuseField } from '../db/refusal.ts';
import { compileWhere } from '../rules/where.ts';
import {
  Consumer,
  ConsumerInput,
  ConsumerPatch,
  ConsumerSort,
  ConsumerStatus,
  ConsumerWith,
} from '../schema/consumer.ts';
import { text, Uuid } from '../schema/fields.ts';
import type { StreamName } from '../schema/stream.ts';
import { needBody } from './consumerBody.ts';
import type { AppEnv } from './env.ts';
import { unknownId } from './errors.ts';
import { needExpression } from './expressions.ts';
import type { GiveCommand } from './giveCommand.ts';
import {
  createRoutes,
  IdParam,
  json,
  jsonBody,
  listFields,
  pageOf,
  problems,
  toList,
} from './route.ts';
import { needs } from './scopes.ts';
import { invalid } from './validation.ts';

/** What the routes of consumers need. */
export interface ConsumerRoutesDeps {
  consumers: Consumers;
  give: GiveCommand;
}

/** `/v1/consumers`. Its commands are in `commands.ts`. */
export function createConsumerRoutes(deps: ConsumerRoutesDeps): OpenAPIHono<AppEnv> {
  const { consumers, give } = deps;
  const app = createRoutes();

  app.openapi(CREATE, async (c) => {
    const input = c.req.valid('json');
    needCondition(input.where, input.stream);
    needBody(input.body, input.stream);
    const consumer = await consumers.create(input, c.var.actor, c.var.seed);
    return c.json(consumer, 201, { location: `/v1/consumers/${consumer.id}` });
  });

  app.openapi(LIST, async (c) => {
    const { q, status, target_id: targetId, has, include, ...page } = c.req.valid('query');
    const filter = { q, status, targetId, has };
    const total = include === undefined ? {} : { total: await consumers.count(filter) };
    return c.json({ ...(await pageOfConsumers(consumers, filter, page)), ...total }, 200);
  });

  app.openapi(GET, async (c) =>
    c.json(await freshConsumer(consumers, c.req.valid('param').id), 200),
  );

  app.openapi(PATCH, async (c) => {
    const { id } = c.req.valid('param');
    const patch = c.req.valid('json');
    const stream = await needConsumer(consumers, id);
    if (patch.body !== undefined) needBody(patch.body, stream);
    if (patch.target_id !== undefined) await consumers.needTarget(patch.target_id);
    if (stream === 'records' && patch.event_types !== undefined && patch.event_types[0] !== '*') {
      throw refuseField('/event_types', 'must be ["*"] on the records stream');
    }
    needCondition(patch.where, stream);
    if (Object.keys(patch).length > 0) await give(c, id, 'patch', { kind: 'patch', patch });
    return c.json(await freshConsumer(consumers, id), 200);
  });

  app.openapi(DELETE, async (c) => {
    const { id } = c.req.valid('param');
    await needConsumer(consumers, id);
    await give(c, id, 'delete', { kind: 'delete' });
    return c.body(null, 204);
  });

  return app;
}

/** Refuses (422) a condition that is none. */
export function needCondition(where: string | null | undefined, stream: StreamName): void {
  if (where === undefined || where === null) return;
  needExpression('/where', () => compileWhere(where, stream));
}

/** Which page of a list is asked for. */
interface PageAsked {
  sort?: ConsumerSort | undefined;
  limit: number;
  cursor?: string | undefined;
}

/** A page of the consumers that match, in the order that is asked for. */
async function pageOfConsumers(
  consumers: Consumers,
  filter: ConsumerFilter,
  { sort = 'newest', limit, cursor }: PageAsked,
): Promise<{ data: Consumer[]; next_cursor: string | null }> {
  if (sort === 'newest') {
    const after = placeIn(cursor, readPlace);
    return toList(await consumers.list({ ...filter, limit, after }));
  }
  const after = placeIn(cursor, (text) => readRankedPlace(text, sort));
  const { data, next } = await consumers.listRanked({ ...filter, by: sort, limit, after });
  return { data, next_cursor: next === null ? null : textOfRankedPlace(next) };
}

/** The place of a cursor; throws a 400 when it is none of this list, in this order. */
function placeIn<P>(cursor: string | undefined, read: (text: string) => P | null): P | null {
  if (cursor === undefined) return null;
  const place = read(cursor);
  if (place !== null) return place;
  throw invalid('query', [{ pointer: '/cursor', detail: 'is not a cursor of this list' }]);
}

/** The consumer as it is now; throws a 404 when there is none. */
export async function freshConsumer(consumers: Consumers, id: string): Promise<Consumer> {
  const consumer = await consumers.get(id);
  if (consumer === null) throw unknownId('consumer', id);
  return consumer;
}

/** The stream of a consumer; throws a 404 when there is no such consumer. */
export async function needConsumer(
  consumers: Pick<Consumers, 'streamOf'>,
  id: string,
): Promise<StreamName> {
  const stream = await consumers.streamOf(id);
  if (stream === null) throw unknownId('consumer', id);
  return stream;
}

const about = { tags: ['Consumers'] };

const CREATE = createRoute({
  ...about,
  method: 'post',
  security: needs('manage'),
  path: '/v1/consumers',
  summary: 'Create a consumer',
  description: 'It starts to send as soon as it is created.',
  request: { body: jsonBody(ConsumerInput) },
  responses: { 201: json(Consumer, 'The consumer'), ...problems(400, 409, 413, 415, 422) },
});

const LIST = createRoute({
  ...about,
  method: 'get',
  security: needs('read'),
  path: '/v1/consumers',
  summary: 'List consumers',
  request: {
    query: z.strictObject({
      q: text(255).optional().meta({
        description:
          'Words in any order, each a part of its name, its id or the name of its target, in any case; a text of more than 8 words is looked for as a whole',
      }),
      status: ConsumerStatus.optional(),
      target_id: Uuid.optional(),
      has: ConsumerWith.optional().meta({
        description:
          'Only consumers that have parked entries, dead letters, or a `cannot_start`, which are those that ' +
          "can't send",
      }),
      sort: ConsumerSort.optional().meta({
        description:
          '`newest` first, unless given. `lag`: most waiting entries first, as of the last minute; `failed`: most ' +
          'failed attempts first, since the beginning of the last full hour',
      }),
      include: z.literal('total').optional().meta({
        description: 'Adds the `total` of all pages',
      }),
      limit: listFields.limit,
      cursor: z.string().max(512).optional().meta({
        description: '`next_cursor` of the previous page',
      }),
    }),
  },
  responses: {
    200: json(
      pageOf(Consumer).extend({
        total: z.int().optional().meta({ description: 'With `include=total` only' }),
      }),
      'A page of consumers',
    ),
    ...problems(400),
  },
});

const GET = createRoute({
  ...about,
  method: 'get',
  security: needs('read'),
  path: '/v1/consumers/{id}',
  summary: 'Read a consumer',
  request: { params: IdParam },
  responses: { 200: json(Consumer, 'The consumer'), ...problems(404) },
});

const PATCH = createRoute({
  ...about,
  method: 'patch',
  security: needs('manage'),
  path: '/v1/consumers/{id}',
  summary: 'Change a consumer while it runs',
  description:
    'Replaces the given fields; a list replaces the stored one. A filter applies to entries above `filter_from`.',
  request: { params: IdParam, body: jsonBody(ConsumerPatch) },
  responses: { 200: json(Consumer, 'The consumer'), ...problems(400, 404, 409, 413, 415, 422) },
});

const DELETE = createRoute({
  ...about,
  method: 'delete',
  security: needs('manage'),
  path: '/v1/consumers/{id}',
  summary: 'Delete a consumer',
  request: { params: IdParam },
  responses: { 204: { description: 'Deleted' }, ...problems(404) },
});

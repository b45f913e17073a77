import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';

import type { Consumers } from '../consumers/consumers.ts';
import type { SeekTo } from '../rules/command.ts';
import { Consumer, FilterDelta, SeekInput, type Start } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';
import { freshConsumer, needCondition, needConsumer } from './consumers.ts';
import type { AppEnv } from './env.ts';
import type { GiveCommand } from './giveCommand.ts';
import { createRoutes, IdParam, json, jsonBody, problems } from './route.ts';
import { needs } from './scopes.ts';

/** The commands of a consumer. Each answers with the consumer once the command is in force. */
export function createCommandRoutes(deps: {
  consumers: Consumers;
  give: GiveCommand;
}): OpenAPIHono<AppEnv> {
  const { consumers, give } = deps;
  const app = createRoutes();

  for (const verb of ['pause', 'resume', 'retry'] as const) {
    app.openapi(TURN[verb], async (c) => {
      const { id } = c.req.valid('param');
      await needConsumer(consumers, id);
      await give(c, id, verb, { kind: verb });
      return c.json(await freshConsumer(consumers, id), 200);
    });
  }

  app.openapi(FILTER, async (c) => {
    const { id } = c.req.valid('param');
    const delta = c.req.valid('json');
    needCondition(delta.where, await needConsumer(consumers, id));
    await give(c, id, 'filter', { kind: 'filter', delta });
    return c.json(await freshConsumer(consumers, id), 200);
  });

  app.openapi(SEEK, async (c) => {
    const { id } = c.req.valid('param');
    const stream = await needConsumer(consumers, id);
    const to = await seekTo(consumers, stream, c.req.valid('json').to);
    await give(c, id, 'seek', { kind: 'seek', to });
    return c.json(await freshConsumer(consumers, id), 200);
  });

  return app;
}

async function seekTo(consumers: Consumers, stream: StreamName, to: Start): Promise<SeekTo> {
  if (typeof to === 'string' || 'time' in to) return to;
  return { position: await consumers.openPlace(stream, to.cursor, '/to/cursor') };
}

const about = { tags: ['Commands'], security: needs('manage') };
const answer = { 200: json(Consumer, 'The consumer, with the command in force') };

function turn<V extends string>(verb: V, summary: string, description: string) {
  return createRoute({
    ...about,
    method: 'post',
    path: `/v1/consumers/{id}/${verb}`,
    summary,
    description,
    request: { params: IdParam },
    responses: { ...answer, ...problems(404, 409) },
  });
}

const TURN = {
  pause: turn(
    'pause',
    'Pause',
    'After the answer no request starts; requests in flight are completed.',
  ),
  resume: turn('resume', 'Resume', 'Continues at the position, with a new retry window.'),
  retry: turn(
    'retry',
    'Retry now',
    'Tries immediately what is waiting; the retry window keeps running.',
  ),
};

const FILTER = createRoute({
  ...about,
  method: 'post',
  path: '/v1/consumers/{id}/filter',
  summary: 'Add to and remove from the filter while it runs',
  description:
    'Applies to entries above `filter_from`. Never sends an entry again, nor older entries that an addition would match.',
  request: { params: IdParam, body: jsonBody(FilterDelta) },
  responses: { ...answer, ...problems(400, 404, 409, 413, 415, 422) },
});

const SEEK = createRoute({
  ...about,
  method: 'post',
  path: '/v1/consumers/{id}/seek',
  summary: 'Move the position',
  description:
    'Requests in flight are completed first. The filter in force applies to everything that is sent again.',
  request: { params: IdParam, body: jsonBody(SeekInput) },
  responses: { ...answer, ...problems(400, 404, 409, 413, 415, 422) },
});

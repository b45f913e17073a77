import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import { MOST_POINTS, pointsOf, readMetrics } from '../attempts/attemptSeries.ts';
import type { Consumers } from '../consumers/consumers.ts';
import type { Sql } from '../db/db.ts';
import { ConsumerMetrics } from '../schema/series.ts';
import { freshConsumer } from './consumers.ts';
import type { AppEnv } from './env.ts';
import { ApiError } from './errors.ts';
import { createRoutes, IdParam, json, problems } from './route.ts';
import { needs } from './scopes.ts';
import { Moment, Seconds } from './timeQuery.ts';

/** `GET /v1/consumers/{id}/metrics`: a consumer over time. */
export function createConsumerMetricsRoutes(deps: {
  consumers: Consumers;
  db: Sql;
}): OpenAPIHono<AppEnv> {
  const app = createRoutes();

  app.openapi(METRICS, async (c) => {
    const { id } = c.req.valid('param');
    const { since, step } = c.req.valid('query');
    const consumer = await freshConsumer(deps.consumers, id);
    refuseTooMany(since, step);
    const query = { consumerId: id, since, stepSeconds: step, lagNow: consumer.lag.entries };
    return c.json(await readMetrics(deps.db, query), 200);
  });

  return app;
}

function refuseTooMany(since: number, step: number): void {
  const points = pointsOf(since, step, Date.now());
  if (points > 0 && points <= MOST_POINTS) return;
  const detail =
    points <= 0
      ? 'since is in the future; it must be a time before now'
      : `since and step give ${points} points, more than the limit of ${MOST_POINTS}: use a later since or a longer step`;
  throw new ApiError({
    status: 422,
    code: points <= 0 ? 'invalid_since' : 'too_many_points',
    detail,
  });
}

const METRICS = createRoute({
  tags: ['Consumers'],
  security: needs('read'),
  method: 'get',
  path: '/v1/consumers/{id}/metrics',
  summary: 'Read the metrics of a consumer over time',
  description: `Counts attempts by the time they ended, in at most ${MOST_POINTS} steps of equal length. With more than 30,000 attempts, the percentiles are those of a sample.`,
  request: {
    params: IdParam,
    query: z.strictObject({
      since: Moment.prefault('1h'),
      step: Seconds.prefault('60'),
    }),
  },
  responses: { 200: json(ConsumerMetrics, 'The series'), ...problems(400, 404, 422) },
});

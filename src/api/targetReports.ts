import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import type { TargetAttempts } from '../attempts/targetAttempts.ts';
import { TargetAttempt } from '../schema/attempt.ts';
import { OverviewRange, TargetMetrics } from '../schema/overview.ts';
import type { Targets } from '../targets/targets.ts';
import type { Overviews } from '../telemetry/overview.ts';
import { AttemptsQuery, PAGES, toAttemptQuery } from './attempts.ts';
import type { AppEnv } from './env.ts';
import { unknownId } from './errors.ts';
import { createRoutes, IdParam, json, pageOf, problems, toList } from './route.ts';
import { needs } from './scopes.ts';

/** What all consumers of one target did: `/v1/targets/{id}/attempts` and `…/metrics`. */
export function createTargetReportRoutes(deps: {
  targets: Pick<Targets, 'exists'>;
  targetAttempts: TargetAttempts;
  overviews: Pick<Overviews, 'ofTarget'>;
}): OpenAPIHono<AppEnv> {
  const { targets, targetAttempts, overviews } = deps;
  const app = createRoutes();

  async function needTarget(id: string): Promise<void> {
    if (!(await targets.exists(id))) throw unknownId('target', id);
  }

  app.openapi(ATTEMPTS, async (c) => {
    const { id } = c.req.valid('param');
    await needTarget(id);
    const page = await targetAttempts.list(id, toAttemptQuery(c.req.valid('query')));
    return c.json(toList(page), 200);
  });

  app.openapi(METRICS, async (c) => {
    const { id } = c.req.valid('param');
    await needTarget(id);
    return c.json(await overviews.ofTarget(id, c.req.valid('query').range), 200);
  });

  return app;
}

const about = { security: needs('read'), method: 'get' as const };

const ATTEMPTS = createRoute({
  ...about,
  tags: ['Attempts'],
  path: '/v1/targets/{id}/attempts',
  summary: 'List the attempts of all consumers of a target',
  description: `The attempts of the consumers that send to it now. ${PAGES.trim()}`,
  request: { params: IdParam, query: AttemptsQuery },
  responses: { 200: json(pageOf(TargetAttempt), 'A page of attempts'), ...problems(400, 404) },
});

const METRICS = createRoute({
  ...about,
  tags: ['Targets'],
  path: '/v1/targets/{id}/metrics',
  summary: 'Read the metrics of a target over time',
  description:
    'Attempts are counted by the minute, for the target that their consumer had at that time; counts are exact.',
  request: { params: IdParam, query: z.strictObject({ range: OverviewRange.default('1h') }) },
  responses: { 200: json(TargetMetrics, 'The series'), ...problems(400, 404) },
});

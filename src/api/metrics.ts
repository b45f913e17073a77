import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import { METRICS_TYPE } from '../telemetry/metrics.ts';
import type { AppEnv } from './env.ts';
import { createRoutes, problems } from './route.ts';
import { needs } from './scopes.ts';

/** `/metrics` for Prometheus. */
export function createMetricsRoutes({
  metrics,
}: {
  metrics: { text: () => Promise<string> };
}): OpenAPIHono<AppEnv> {
  const app = createRoutes();
  app.openapi(METRICS, async (c) =>
    c.text(await metrics.text(), 200, { 'content-type': METRICS_TYPE }),
  );
  return app;
}

const METRICS = createRoute({
  tags: ['Process'],
  security: needs('read'),
  method: 'get',
  path: '/metrics',
  summary: 'Metrics of the API process',
  description:
    'In the text format of Prometheus. Where `MILLRACE_METRICS_PORT` is set, a process also serves its ' +
    'metrics on that port, without a key; that is how to read those of the worker.',
  responses: {
    200: {
      content: {
        'text/plain': {
          schema: z.string(),
          example: '# TYPE millrace_consumers gauge\nmillrace_consumers{state="blocked"} 0\n',
        },
      },
      description: 'One line per series',
    },
    ...problems(),
  },
});

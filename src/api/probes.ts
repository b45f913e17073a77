import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import { Problem } from '../schema/problem.ts';
import type { AppEnv } from './env.ts';
import { ApiError } from './errors.ts';
import { createRoutes, json } from './route.ts';

/** Whether something that the API needs is there. What throws or takes long isn't. */
export type Check = () => Promise<boolean>;

/** Below the two seconds that the supervisor gives a probe. */
const CHECK_MS = 1_500;

/** `/healthz` says that the process is up, `/readyz` that what it needs answers too. Neither takes a key. */
export function createProbeRoutes(deps: { checks: Record<string, Check> }): OpenAPIHono<AppEnv> {
  const app = createRoutes();

  app.openapi(HEALTHZ, (c) => c.json({ status: 'ok' as const }, 200));

  app.openapi(READYZ, async (c) => {
    const names = Object.keys(deps.checks);
    const passed = await Promise.all(Object.values(deps.checks).map(holds));
    const missing = names.filter((_, index) => !passed[index]);
    if (missing.length === 0) return c.json({ status: 'ready' as const }, 200);
    throw new ApiError({
      status: 503,
      code: 'not_ready',
      detail: `Not ready: ${missing.join(', ')}`,
      headers: { 'retry-after': '1' },
      extra: { missing },
    });
  });

  return app;
}

async function holds(check: Check): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, CHECK_MS, false);
  try {
    return await Promise.race([check(), late]);
  } catch {
    return false; // being away is the answer that was asked for
  } finally {
    clearTimeout(timer);
  }
}

const HEALTHZ = createRoute({
  tags: ['Process'],
  method: 'get',
  path: '/healthz',
  summary: 'Whether the process is up',
  responses: { 200: json(z.object({ status: z.literal('ok') }), 'It is') },
});

const READYZ = createRoute({
  tags: ['Process'],
  method: 'get',
  path: '/readyz',
  summary: 'Whether Postgres, its migrations and Temporal are there',
  responses: {
    200: json(z.object({ status: z.literal('ready') }), 'They are'),
    503: {
      content: {
        'application/problem+json': {
          schema: Problem.extend({ missing: z.array(z.string()) }).meta({ id: 'NotReady' }),
        },
      },
      description: 'What is missing',
    },
  },
});

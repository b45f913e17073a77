import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import { Problem } from '../schema/problem.ts';
import type { AppEnv } from './env.ts';
import { ApiError } from './errors.ts';
import { createRoutes, json } from './route.ts';

/** Whether something that the API needs is available. Throwing or taking too long counts as no. */
export type Check = () => Promise<boolean>;

/** Less than the two seconds that the supervisor waits for a probe. */
const CHECK_MS = 1_500;

/** `/healthz`: the process is up. `/readyz`: everything that it needs answers as well. Neither requires a key. */
export function createProbeRoutes(deps: {
  checks: Record<string, Check>;
  /** Sentences about what does not keep the API from serving but needs an operator. */
  notes: () => Promise<string[]>;
}): OpenAPIHono<AppEnv> {
  const app = createRoutes();

  app.openapi(HEALTHZ, (c) => c.json({ status: 'ok' as const }, 200));

  app.openapi(READYZ, async (c) => {
    const names = Object.keys(deps.checks);
    const passed = await Promise.all(Object.values(deps.checks).map(holds));
    const missing = names.filter((_, index) => !passed[index]);
    if (missing.length === 0) {
      const notes = await deps.notes().catch(() => []); // they can't be read: it is ready all the same
      const ready = { status: 'ready' as const };
      return c.json(notes.length === 0 ? ready : { ...ready, notes }, 200);
    }
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

/** Whether a check passes, and in time. */
export async function holds(check: Check): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, CHECK_MS, false);
  try {
    return await Promise.race([check(), late]);
  } catch {
    return false; // it is not available
  } finally {
    clearTimeout(timer);
  }
}

const HEALTHZ = createRoute({
  tags: ['Process'],
  method: 'get',
  path: '/healthz',
  summary: 'Check whether the process is up',
  responses: { 200: json(z.object({ status: z.literal('ok') }), 'The process is up') },
});

const READYZ = createRoute({
  tags: ['Process'],
  method: 'get',
  path: '/readyz',
  summary: 'Check whether Postgres, its migrations and Temporal are available',
  responses: {
    200: json(
      z.object({
        status: z.literal('ready'),
        notes: z.array(z.string()).optional().meta({
          description: 'What needs an operator nevertheless: a clock that is off by more than 5 s',
        }),
      }),
      'They are available',
    ),
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

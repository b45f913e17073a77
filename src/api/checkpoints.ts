import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import { Checkpoint, SourceName } from '../schema/checkpoint.ts';
import type { Checkpoints } from '../streams/checkpoints.ts';
import type { AppEnv } from './env.ts';
import { createRoutes, json, pageOf, problems } from './route.ts';
import { needs } from './scopes.ts';

/** `GET /v1/checkpoints/{source}`. */
export function createCheckpointRoutes(deps: { checkpoints: Checkpoints }): OpenAPIHono<AppEnv> {
  const app = createRoutes();

  app.openapi(LIST, async (c) => {
    const { limit, cursor } = c.req.valid('query');
    const { source } = c.req.valid('param');
    const found = await deps.checkpoints.list(source, { limit: limit + 1, after: cursor });
    const data = found.slice(0, limit);
    const last = data.at(-1);
    const isMore = found.length > limit && last !== undefined;
    return c.json({ data, next_cursor: isMore ? textOf(last.key) : null }, 200);
  });

  return app;
}

function textOf(key: string): string {
  return Buffer.from(key).toString('base64url');
}

const cursor = z
  .string()
  .max(2048)
  .default('')
  .meta({ description: '`next_cursor` of the previous page' })
  .transform((given, c): string => {
    const key = Buffer.from(given, 'base64url').toString('utf8');
    if (textOf(key) === given && !key.includes('\u0000')) return key;
    c.addIssue({ code: 'custom', message: 'is not a cursor of this list' });
    return z.NEVER;
  });

const LIST = createRoute({
  tags: ['Streams'],
  method: 'get',
  security: needs('ingest'),
  path: '/v1/checkpoints/{source}',
  summary: 'Read how far a source has come, by its keys',
  description:
    'What the source gave last as `checkpoint` of `POST /v1/records`, stored together with those records. A source that has stored none has an empty list.',
  request: {
    params: z.object({ source: SourceName }),
    query: z.strictObject({ limit: z.coerce.number().int().min(1).max(100).default(100), cursor }),
  },
  responses: { 200: json(pageOf(Checkpoint), 'A page of checkpoints'), ...problems(400) },
});

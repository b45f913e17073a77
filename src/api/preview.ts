import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';

import { Preview, PreviewInput } from '../schema/preview.ts';
import type { Pages } from '../streams/pages.ts';
import { preview } from '../streams/preview.ts';
import { needCondition } from './consumers.ts';
import type { AppEnv } from './env.ts';
import { createRoutes, json, jsonBody, problems, takesOnly } from './route.ts';
import { needs } from './scopes.ts';
import { bare } from './streams.ts';

/** `POST /v1/consumers/preview`: the entries that a filter would let through. */
export function createPreviewRoutes({ pages }: { pages: Pages }): OpenAPIHono<AppEnv> {
  const app = createRoutes();

  app.openapi(PREVIEW, async (c) => {
    const input = c.req.valid('json');
    needCondition(input.where, input.stream);
    const { sample, others, ...counts } = await preview(pages, input);
    const matching = sample.map(({ body }) => bare(body));
    const rest = others.map(
      ({ entry, why }) => `{"entry":${bare(entry.body)},"why":${JSON.stringify(why)}}`,
    );
    const text = `${JSON.stringify(counts).slice(0, -1)},"sample":[${matching.join(',')}],"others":[${rest.join(',')}]}`;
    return c.body(text, 200, { 'content-type': 'application/json' }) as never; // text of the documented shape
  });

  takesOnly(app, PREVIEW.path, 'POST');

  return app;
}

const PREVIEW = createRoute({
  tags: ['Consumers'],
  security: needs('read'),
  method: 'post',
  path: '/v1/consumers/preview',
  summary: 'Try a filter on the newest entries',
  description:
    'Changes nothing. Says how many of the newest entries a filter would let through, and why its condition excludes others.',
  request: { body: jsonBody(PreviewInput) },
  responses: { 200: json(Preview, 'How many, and a sample'), ...problems(400, 409, 413, 415, 422) },
});

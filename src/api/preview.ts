import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';

import { BodyFault } from '../rules/bodyFault.ts';
import type { BodyShape } from '../rules/bodyShape.ts';
import { bodyOfBatch, elementOf } from '../rules/envelope.ts';
import { Preview, PreviewInput } from '../schema/preview.ts';
import type { Pages } from '../streams/pages.ts';
import { preview } from '../streams/preview.ts';
import { needBody } from './consumerBody.ts';
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
    const { body, batch } = input;
    const shape = body === undefined ? null : needBody(body, input.stream);
    const { sample, others, ...counts } = await preview(pages, input);
    const matching = sample.map(({ body }) => bare(body));
    const rest = others.map(
      ({ entry, why }) => `{"entry":${bare(entry.body)},"why":${JSON.stringify(why)}}`,
    );
    const shaped =
      body === undefined && batch === null
        ? ''
        : `,"sample_body":${sampleBody(sample[0]?.body, shape, input)}`;
    const text = `${JSON.stringify(counts).slice(0, -1)},"sample":[${matching.join(',')}],"others":[${rest.join(',')}]${shaped}}`;
    return c.body(text, 200, { 'content-type': 'application/json' }) as never; // text of the documented shape
  });

  takesOnly(app, PREVIEW.path, 'POST');

  return app;
}

/** What would be sent of an entry, as JSON. */
function sampleBody(
  entry: string | undefined,
  shape: BodyShape | null,
  { stream, body, batch }: PreviewInput,
): string {
  if (entry === undefined) return 'null';
  const content_type = (batch === null ? shape?.contentType : undefined) ?? 'application/json';
  try {
    const alone = shape === null ? entry : shape.of(entry);
    const element = (): string => elementOf(stream, alone, body?.mode ?? 'full');
    const text = batch === null ? alone : bodyOfBatch(stream, [element()]);
    return JSON.stringify({ content_type, text, fault: null });
  } catch (error) {
    if (!(error instanceof BodyFault)) throw error;
    return JSON.stringify({ content_type, text: null, fault: error.message });
  }
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

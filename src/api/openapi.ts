import { z } from '@hono/zod-openapi';
import type { OpenAPIHono } from '@hono/zod-openapi';
import { StreamEvent, StreamRecord } from '../schema.ts';
import type { AppEnv } from './env.ts';

/** Serves the OpenAPI 3.1 document of every route registered on `app`. Call it last. */
export function serveDocument(app: OpenAPIHono<AppEnv>, version: string): void {
  const registry = app.openAPIRegistry;
  registry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key',
  });
  registry.registerComponent('securitySchemes', 'session', {
    type: 'apiKey',
    in: 'cookie',
    name: 'millrace_session',
    description: 'Of `POST /v1/session`; has the scopes of its key',
  });
  registry.registerWebhook(webhook('event', 'An entry of the events stream', StreamEvent));
  registry.registerWebhook(webhook('record', 'An entry of the records stream', StreamRecord));
  const document = JSON.stringify(
    app.getOpenAPI31Document({
      openapi: '3.1.0',
      info: {
        title: 'Millrace',
        version,
        description: 'A webhook sender for record and event streams.',
        license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
      },
      servers: [{ url: '/' }],
      tags: ['Streams', 'Targets', 'Consumers', 'Commands', 'API keys', 'Sign-in', 'Process'].map(
        (name) => ({ name }),
      ),
    }),
  );
  app.get('/v1/openapi.json', (c) => c.body(document, 200, { 'content-type': 'application/json' }));
}

/** Standard Webhooks' headers, and ours. */
const headers = z.object({
  'webhook-id': z.string().meta({ description: 'The same on each attempt' }),
  'webhook-timestamp': z.string().meta({ description: 'Unix seconds of this attempt' }),
  'webhook-signature': z.string().meta({
    description: '`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`, one a secret',
  }),
  'millrace-consumer': z.uuid(),
  'millrace-position': z.string(),
  'millrace-attempt': z.string(),
});

function webhook(name: 'event' | 'record', summary: string, schema: z.ZodType) {
  return {
    method: 'post' as const,
    path: name,
    summary,
    request: {
      headers,
      body: {
        required: true,
        content: { 'application/json': { schema: z.object({ [name]: schema }) } },
      },
    },
    responses: {
      '2XX': { description: 'Delivered' },
      default: { description: 'Tried again for 24 hours' },
    },
  };
}

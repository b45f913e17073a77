import { z } from '@hono/zod-openapi';
import type { OpenAPIHono } from '@hono/zod-openapi';
import { StreamEvent, StreamRecord } from '../schema.ts';
import { complete, type Document } from './document.ts';
import type { AppEnv } from './env.ts';

/** Serves the OpenAPI 3.1 document of every route registered on `app`. Call it last. */
export function serveDocument(app: OpenAPIHono<AppEnv>, version: string): void {
  const registry = app.openAPIRegistry;
  registry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key',
  });
  registry.registerWebhook(webhook('event', 'An entry of the events stream', StreamEvent));
  registry.registerWebhook(webhook('record', 'An entry of the records stream', StreamRecord));
  const described = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Millrace',
      version,
      description: 'A webhook sender for record and event streams.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    servers: [{ url: '/' }],
    tags: TAGS,
  });
  complete(described as unknown as Document);
  const document = JSON.stringify(described);
  app.get('/v1/openapi.json', (c) => c.body(document, 200, { 'content-type': 'application/json' }));
}

const TAGS = [
  { name: 'Streams', description: 'Append records and events, read them, name their syncs' },
  { name: 'Targets', description: 'HTTP endpoints with their credentials' },
  { name: 'Consumers', description: 'Saved subscriptions: one stream, a filter, one target' },
  { name: 'Commands', description: 'What a running consumer is told' },
  { name: 'Dead letters', description: 'Entries that were given up, and sending them again' },
  { name: 'Process', description: 'Health, settings and metrics' },
];

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
    description:
      'Sent to the target by the rules of Standard Webhooks. Success is a 2xx status line within ' +
      '`timeout_ms`; 410 stops the consumer; anything else is tried again.',
    operationId: `on${name === 'event' ? 'Event' : 'Record'}`,
    tags: ['Consumers'],
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

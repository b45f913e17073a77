import { z, type OpenAPIHono } from '@hono/zod-openapi';

import { StreamEvent, StreamRecord } from '../schema/stream.ts';
import { complete, type Document } from './document.ts';
import type { AppEnv } from './env.ts';

/**
 * Serves the OpenAPI 3.1 document of every route registered on `app`. Call it last. The document is made at the first
 * request and kept: most servers are never asked for it.
 */
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
    description: 'Set by `POST /v1/session`; it has the scopes of its key',
  });
  registry.registerWebhook(webhook('event', 'An entry of the events stream', StreamEvent));
  registry.registerWebhook(webhook('record', 'An entry of the records stream', StreamRecord));
  let document: string | null = null;
  app.get('/v1/openapi.json', (c) => {
    document ??= documentOf(app, version);
    return c.body(document, 200, { 'content-type': 'application/json' });
  });
}

function documentOf(app: OpenAPIHono<AppEnv>, version: string): string {
  const described = withIdempotency(
    app.getOpenAPI31Document({
      openapi: '3.1.0',
      info: {
        title: 'Millrace',
        version,
        description:
          'A webhook sender for record and event streams. Times are RFC 3339; a leap second is read as the second after it.',
        license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
      },
      servers: [{ url: '/' }],
      tags: TAGS,
    }),
  );
  complete(described as unknown as Document);
  return JSON.stringify(described);
}

const TAGS = [
  {
    name: 'Streams',
    description:
      'Append records and events, read and follow them, delete what is gone by full passes, and name their syncs',
  },
  { name: 'Sources', description: 'Databases whose tables are followed' },
  { name: 'Targets', description: 'HTTP endpoints with their credentials' },
  { name: 'Consumers', description: 'Saved subscriptions: one stream, a filter, one target' },
  { name: 'Commands', description: 'Commands for a running consumer' },
  { name: 'Attempts', description: 'What was sent, when, and how it was answered' },
  { name: 'Dead letters', description: 'Entries that were given up, and how to send them again' },
  { name: 'Search', description: 'Find anything by a name or an id' },
  { name: 'Alerts', description: 'What people were alerted to' },
  { name: 'API keys', description: 'Keys for the API, with their scopes' },
  { name: 'Sign-in', description: 'Sessions of the console' },
  { name: 'Process', description: 'Health, settings and metrics' },
];

type Described = ReturnType<OpenAPIHono<AppEnv>['getOpenAPI31Document']>;

/** Their bodies are streamed, and a repetition does no harm. */
const APPENDS = new Set(['/v1/records', '/v1/events']);

/** Adds the idempotency key and its problems to every change that needs a key, except ingest. */
function withIdempotency(document: Described): Described {
  for (const [path, methods] of Object.entries(document.paths ?? {})) {
    if (APPENDS.has(path)) continue;
    const { post, put, patch, delete: remove } = methods;
    for (const change of [post, put, patch, remove]) {
      const [first] = change?.security ?? [];
      if (change === undefined || first?.['bearer'] === undefined) continue;
      change.parameters = [...(change.parameters ?? []), IDEMPOTENCY_KEY];
      for (const [status, description] of IDEMPOTENCY_PROBLEMS) {
        const problem = { [status]: { ...change.responses?.['401'], description } };
        change.responses = { ...problem, ...change.responses };
      }
    }
  }
  return document;
}

const IDEMPOTENCY_KEY = {
  name: 'idempotency-key',
  in: 'header' as const,
  schema: { type: 'string' as const, pattern: '^[\\x21-\\x7e]{1,255}$' },
  description:
    'A request that is repeated with the same key within 24 hours is not carried out again: it gets the ' +
    'stored answer, with `idempotency-replayed: true`',
};
const IDEMPOTENCY_PROBLEMS = [
  ['409', '`idempotency_running`'],
  ['422', '`idempotency_mismatch`'],
] as const;

/** The headers of Standard Webhooks, and Millrace's own. */
const headers = z.object({
  'webhook-id': z.string().meta({ description: 'The same for each attempt' }),
  'webhook-timestamp': z.string().meta({ description: 'Unix seconds of this attempt' }),
  'webhook-signature': z.string().meta({
    description:
      '`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`, one for each signing secret, separated by spaces',
  }),
  'millrace-consumer': z.uuid(),
  'millrace-position': z.string(),
  'millrace-attempt': z.string(),
  traceparent: z.string().meta({
    description:
      'W3C Trace Context: the trace in which the entry was appended, or else a new one, and a new span for each attempt',
  }),
});

function webhook(name: 'event' | 'record', summary: string, schema: z.ZodType) {
  return {
    method: 'post' as const,
    path: name,
    summary,
    description:
      'Sent to the target in the format of Standard Webhooks. Success is a 2xx status line within ' +
      '`timeout_ms`; 410 stops the consumer; after anything else the webhook is retried.',
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
      default: { description: 'Retried for 24 hours' },
    },
  };
}

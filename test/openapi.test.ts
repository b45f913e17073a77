import { beforeAll, expect, test } from 'vitest';
import { openApp } from './support/app.ts';
import { createDatabase } from './support/database.ts';

interface Operation {
  summary?: string;
  security?: object[];
  parameters?: { name: string; in: string }[];
  requestBody?: { required?: boolean };
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
}

interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  webhooks: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties?: object }>; securitySchemes: object };
}

let document: Document;
let served: string[];

beforeAll(async () => {
  await using database = await createDatabase();
  await using api = openApp(database.url);
  const response = await api.app.request('/v1/openapi.json');
  document = (await response.json()) as Document;
  served = api.app.routes
    .filter(({ method, path }) => method !== 'ALL' && path.startsWith('/v1/'))
    .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/gu, '{$1}')}`);
});

function operations(): [string, Operation][] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, operation]) =>
        [`${method.toUpperCase()} ${path}`, operation] as [string, Operation],
    ),
  );
}

test('the document is OpenAPI 3.1 and holds every route that is served, and no other', () => {
  expect(document.openapi).toBe('3.1.0');
  const documented = operations().map(([name]) => name);
  const routes = new Set(served.filter((name) => name !== 'GET /v1/openapi.json'));
  expect(documented.filter((name) => name.includes(' /v1/')).sort()).toEqual([...routes].sort());
  expect(documented).toContain('GET /healthz');
  expect(documented).toContain('GET /readyz');
});

test('every route of /v1 but signing in takes a key or a session, and documents its problems', () => {
  expect(document.components.securitySchemes).toMatchObject({
    bearer: { type: 'http', scheme: 'bearer' },
    session: { type: 'apiKey', in: 'cookie', name: 'millrace_session' },
  });
  const problem = {
    'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
  };
  for (const [name, { security, summary, responses }] of operations()) {
    if (!name.includes(' /v1/')) continue;
    expect({
      name,
      hasSummary: summary !== undefined,
      security: security?.map((one) => Object.keys(one).join()),
      unauthorized: responses['401']?.content,
      away: responses['503']?.content,
      checksItsPath: !name.includes('{') || '404' in responses || '422' in responses,
    }).toEqual({
      name,
      hasSummary: true,
      security: name === 'POST /v1/session' ? [] : ['bearer', 'session'],
      unauthorized: problem,
      away: problem,
      checksItsPath: true,
    });
  }
});

test('every POST but ingest and signing in documents its Idempotency-Key, once', () => {
  for (const [name, { parameters = [], responses }] of operations()) {
    if (!name.startsWith('POST /v1/')) continue;
    const repeatable = !['/v1/records', '/v1/events', '/v1/session'].includes(name.slice(5));
    const keys = parameters.filter((one) => one.name === 'idempotency-key').length;
    expect([name, keys]).toEqual([name, repeatable ? 1 : 0]);
    if (repeatable) expect(Object.keys(responses)).toEqual(expect.arrayContaining(['409', '422']));
  }
});

test('the shapes of the API are components', () => {
  const names = ['Target', 'TargetInput', 'TargetPatch', 'Consumer', 'ConsumerInput'].concat(
    ['ConsumerPatch', 'FilterDelta', 'SeekInput', 'Credentials', 'MaskedCredentials', 'Health'],
    ['Problem', 'Change', 'Info', 'Event', 'Record', 'Sync', 'Collection', 'StreamName'],
    ['ApiKey', 'ApiKeyInput', 'NewApiKey', 'Session', 'SessionInput', 'SignInLink', 'Scope'],
  );
  expect(Object.keys(document.components.schemas)).toEqual(expect.arrayContaining(names));
  const fields =
    'id name target_id stream path syncs collections event_types ordering alert_emails status ' +
    'status_reason position cursor lag parked next_attempt_at failing_since filter_version ' +
    'filter_from region workflow_id health metadata created_at updated_at';
  const { properties = {} } = document.components.schemas['Consumer'] ?? {};
  expect(Object.keys(properties)).toEqual(fields.split(' '));
});

test('no reference of the document is dangling', () => {
  const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/gu)];
  expect(references.length).toBeGreaterThan(50);
  const known = Object.keys(document.components.schemas);
  for (const [, name] of references) expect(known).toContain(name);
});

test('both webhooks are described with their payload and headers', () => {
  for (const [name, schema] of [
    ['event', 'Event'],
    ['record', 'Record'],
  ] as const) {
    const post = document.webhooks[name]?.['post'];
    expect(post?.requestBody).toMatchObject({
      required: true,
      content: {
        'application/json': {
          schema: {
            required: [name],
            properties: { [name]: { $ref: `#/components/schemas/${schema}` } },
          },
        },
      },
    });
    expect(post?.parameters?.map((one) => one.name)).toEqual(
      expect.arrayContaining(['webhook-id', 'webhook-timestamp', 'webhook-signature']),
    );
  }
});

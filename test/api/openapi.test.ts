import { beforeAll, expect, test } from 'vitest';

import { openOwnApp } from '../support/app.ts';

interface Operation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  security?: object[];
  parameters?: { name: string; in: string }[];
  requestBody?: { required?: boolean; content?: Content };
  responses: Record<string, { content?: Content }>;
}

type Content = Record<string, { schema: object; example?: unknown; examples?: object }>;

interface Document {
  tags: { name: string; description: string }[];
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  webhooks: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties?: object }>; securitySchemes: object };
}

let document: Document;
let served: string[];

beforeAll(async () => {
  await using api = await openOwnApp();
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

test('every route of /v1 except signing in requires a key or a session, and documents its problems', () => {
  expect(document.components.securitySchemes).toMatchObject({
    bearer: { type: 'http', scheme: 'bearer' },
    session: { type: 'apiKey', in: 'cookie', name: 'millrace_session' },
  });
  const problem = { $ref: '#/components/schemas/Problem' };
  for (const [name, { security, summary, responses }] of operations()) {
    if (!name.includes(' /v1/')) continue;
    expect({
      name,
      hasSummary: summary !== undefined,
      security: security?.map((one) => Object.keys(one).join()),
      unauthorized: responses['401']?.content?.['application/problem+json']?.schema,
      away: responses['503']?.content?.['application/problem+json']?.schema,
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

test('every change except ingest and signing in documents its Idempotency-Key, once', () => {
  const others = new Set(['POST /v1/records', 'POST /v1/events', 'POST /v1/session']);
  for (const [name, { parameters = [], responses }] of operations()) {
    if (!/^(?:POST|PUT|PATCH|DELETE) \/v1\//u.test(name)) continue;
    const repeatable = !others.has(name);
    const keys = parameters.filter((one) => one.name === 'idempotency-key').length;
    expect([name, keys]).toEqual([name, repeatable ? 1 : 0]);
    if (repeatable) expect(Object.keys(responses)).toEqual(expect.arrayContaining(['409', '422']));
  }
});

test('the schemas of the API are components of the document', () => {
  const names = ['Target', 'TargetInput', 'TargetPatch', 'Consumer', 'ConsumerInput'].concat(
    ['ConsumerPatch', 'FilterDelta', 'SeekInput', 'Credentials', 'MaskedCredentials', 'Health'],
    ['Problem', 'Change', 'Info', 'Event', 'Record', 'Sync', 'Collection', 'StreamName'],
    ['ApiKey', 'ApiKeyInput', 'NewApiKey', 'Session', 'SessionInput', 'SignInLink', 'Scope'],
  );
  expect(Object.keys(document.components.schemas)).toEqual(expect.arrayContaining(names));
  const fields =
    'id name target_id target_name stream path syncs collections event_types where ordering batch body ' +
    'alert_emails status status_reason position cursor lag parked dead_letters next_attempt_at failing_since last_failure ' +
    'cannot_start sender filter_version filter_from region workflow_id health metadata created_at updated_at';
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

test('every operation has a name of its own, a description, a tag that is described, and examples', () => {
  const ids = operations().map(([, { operationId }]) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
  const tags = document.tags.map(({ name }) => name);
  const faults: string[] = [];
  for (const [name, operation] of operations()) {
    const { operationId = '', description = '', tags: own = [] } = operation;
    if (!/^[a-z][A-Za-z0-9]+$/u.test(operationId)) faults.push(`${name}: id ${operationId}`);
    if (description === '') faults.push(`${name}: no description`);
    if (own.length !== 1 || !tags.includes(own[0]!)) faults.push(`${name}: tags ${own.join()}`);
    for (const body of [operation.requestBody, ...Object.values(operation.responses)]) {
      for (const [type, { example, examples }] of Object.entries(body?.content ?? {})) {
        if (!type.includes('json') || type.includes('ndjson')) continue;
        if (example === undefined && examples === undefined) faults.push(`${name}: ${type}`);
      }
    }
  }
  expect(faults).toEqual([]);
});

test('every status that a route may answer because of its parameters and its body is documented', () => {
  for (const [name, { parameters = [], requestBody, responses, security }] of operations()) {
    const expected = ['431'];
    if (security !== undefined) {
      if (parameters.some((one) => one.in !== 'path')) expected.push('400');
      if (name.includes('{')) expected.push('404');
      if (requestBody !== undefined) expected.push('400', '413', '415', '422');
    }
    expect({ name, statuses: Object.keys(responses) }).toEqual({
      name,
      statuses: expect.arrayContaining(expected),
    });
  }
});

test('patterns are regular expressions of JSON Schema, without flags of a programming language', () => {
  const patterns = [...JSON.stringify(document).matchAll(/"pattern":"((?:[^"\\]|\\.)*)"/gu)];
  expect(patterns.length).toBeGreaterThan(5);
  for (const [, pattern = ''] of patterns) expect(pattern).not.toMatch(/\/[a-z]+$|\[\^\]/u);
});

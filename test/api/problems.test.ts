import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';

import { serve } from '@hono/node-server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createOnError } from '../../src/api/errors.ts';
import { createRoutes } from '../../src/api/route.ts';
import { KEY, openApp, openOwnApp, type OwnApp } from '../support/app.ts';
let api: OwnApp;

beforeAll(async () => {
  api = await openOwnApp();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const target = { name: 'one', base_url: 'https://example.com/hooks' };
const unknown = '0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11';

async function rowCounts(): Promise<unknown> {
  const { rows } = await api.db.query(
    'select (select count(*) from targets) as targets, (select count(*) from consumers) as consumers',
  );
  return rows[0];
}

test('every problem has the members of RFC 9457, a stable code and the request id', async () => {
  const { status, headers, body } = await api.request('GET', `/v1/targets/${unknown}`);
  expect(status).toBe(404);
  expect(headers.get('content-type')).toBe('application/problem+json');
  expect(body).toEqual({
    type: 'urn:millrace:problem:not_found',
    title: 'Not Found',
    status: 404,
    detail: `There is no target ${unknown}`,
    code: 'not_found',
    request_id: headers.get('x-request-id'),
    docs: '/docs/errors#not_found',
  });
  const [page = '', anchor] = body.docs.split('#');
  expect(await (await api.app.request(page)).text()).toContain(`<h3 id="${anchor}">`);
});

test('a request id that is sent comes back, also with success', async () => {
  const sent = { 'x-request-id': 'abc-123' };
  const good = await api.request('GET', '/v1/info', undefined, sent);
  expect(good.headers.get('x-request-id')).toBe('abc-123');
  const bad = await api.request('GET', '/v1/nothing', undefined, sent);
  expect(bad.body.request_id).toBe('abc-123');
  const evil = await api.request('GET', '/v1/nothing', undefined, { 'x-request-id': '<b>' });
  expect(evil.body.request_id).toMatch(/^[0-9a-f-]{36}$/u);
});

describe('without a valid key nothing under /v1 answers', () => {
  test.each([
    ['no key', { authorization: '' }],
    ['a wrong key', { authorization: 'Bearer wrong' }],
    ['a longer key', { authorization: `Bearer ${KEY}x` }],
    ['another scheme', { authorization: `Basic ${btoa(`x:${KEY}`)}` }],
  ])('%s', async (_, headers) => {
    for (const [method, path] of [
      ['GET', '/v1/targets'],
      ['POST', '/v1/consumers'],
      ['GET', '/v1/nothing'],
    ] as const) {
      const answer = await api.request(method, path, undefined, headers);
      expect(answer.status).toBe(401);
      expect(answer.body.code).toBe('unauthorized');
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/u);
      expect(JSON.stringify(answer.body)).not.toContain(KEY);
    }
  });
});

test('the probes, the OpenAPI document and the reference need no key', async () => {
  for (const path of ['/healthz', '/readyz', '/v1/openapi.json', '/']) {
    expect((await api.app.request(path)).status).toBe(200);
  }
});

test('malformed JSON is 400', async () => {
  for (const text of ['{"name": ', '', '{"a":1}x']) {
    const { status, body } = await api.request('POST', '/v1/targets', text);
    expect([status, body.code]).toEqual([400, 'malformed_json']);
  }
});

test.each([
  ['POST', '/v1/targets'],
  ['POST', '/v1/targets/test'],
  ['PATCH', `/v1/targets/${unknown}`],
  ['POST', '/v1/consumers'],
  ['POST', '/v1/api-keys'],
  ['POST', '/v1/session'],
  ['PUT', '/v1/syncs/a'],
])('bytes that are not UTF-8 are refused by %s %s, not replaced', async (method, path) => {
  const { status, body } = await api.request(
    method,
    path,
    Buffer.from('{"name":"M\xfcller","base_url":"https://example.com"}', 'latin1'),
    { 'content-type': 'application/json' },
  );
  expect({ status, code: body.code, detail: body.detail }).toEqual({
    status: 400,
    code: 'malformed_json',
    detail: 'The body is not UTF-8',
  });
});

test('a body that is not sent as JSON is 415', async () => {
  const headers = { 'content-type': 'text/plain' };
  const { status, body } = await api.request(
    'POST',
    '/v1/targets',
    JSON.stringify(target),
    headers,
  );
  expect([status, body.code]).toEqual([415, 'unsupported_media_type']);
});

test('unknown fields, wrong types and missing fields are 422, each with its pointer', async () => {
  const { status, body } = await api.request('POST', '/v1/targets', {
    base_url: 'ftp://example.com',
    timeout_ms: 100,
    nmae: 'one',
    'a/b~c': 1,
    headers: { 'bad header': 'x' },
    credentials: { type: 'bearer', token: 'a\nb' },
  });
  expect([status, body.code]).toEqual([422, 'invalid_request']);
  const byPointer = Object.fromEntries(
    body.errors.map((one: { pointer: string; detail: string }) => [one.pointer, one.detail]),
  );
  expect(byPointer).toEqual({
    '/name': 'is required',
    '/base_url': 'must be an http or https URL',
    '/timeout_ms': expect.stringContaining('500'),
    '/headers/bad header': 'must be an HTTP header name',
    '/credentials/token': 'must be printable ASCII without line breaks',
    '/nmae': 'is not a known field',
    '/a~1b~0c': 'is not a known field',
  });
});

test('a body that is not an object is 422', async () => {
  for (const body of [[], 'null', '1', '"text"']) {
    expect((await api.request('POST', '/v1/targets', body)).status).toBe(422);
  }
});

test('no more than 20 faults are listed', async () => {
  const fields = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`f${index}`, 1]));
  const { body } = await api.request('POST', '/v1/targets', { ...target, ...fields });
  expect(body.errors).toHaveLength(20);
  expect(body.detail).toContain('(and 49 more)');
});

test('a query with invalid parameters is 400', async () => {
  for (const query of [
    'limit=0',
    'limit=1001',
    'limit=ten',
    'limit=1.5',
    'cursor=nonsense',
    'status=sleeping',
    'status=active&status=paused',
    'target_id=1',
    'q=',
    'colour=red',
  ]) {
    const { status, body } = await api.request('GET', `/v1/consumers?${query}`);
    expect([query, status, body.code]).toEqual([query, 400, 'invalid_query']);
  }
});

test('an id in a path that is unknown or not a UUID is 404 on every route', async () => {
  for (const id of [unknown, 'abc', '1', `${unknown}0`, '%00']) {
    for (const [method, path, body] of [
      ['GET', `/v1/targets/${id}`],
      ['PATCH', `/v1/targets/${id}`, { name: 'x' }],
      ['DELETE', `/v1/targets/${id}`],
      ['GET', `/v1/consumers/${id}`],
      ['PATCH', `/v1/consumers/${id}`, { name: 'x' }],
      ['DELETE', `/v1/consumers/${id}`],
      ['POST', `/v1/consumers/${id}/pause`],
      ['POST', `/v1/consumers/${id}/resume`],
      ['POST', `/v1/consumers/${id}/retry`],
      ['POST', `/v1/consumers/${id}/seek`, { to: 'end' }],
      ['POST', `/v1/consumers/${id}/filter`, { add: { syncs: ['a'] } }],
    ] as const) {
      const answer = await api.request(method, path, body);
      expect([method, path, answer.status]).toEqual([method, path, 404]);
      expect(answer.body.code).toBe('not_found');
    }
  }
});

test('an unknown path is 404, and a method that a path does not support is 405 with Allow', async () => {
  expect((await api.request('GET', '/v1/nothing')).status).toBe(404);
  const { status, body, headers } = await api.request('PUT', '/v1/targets');
  expect([status, body.code]).toEqual([405, 'method_not_allowed']);
  expect(headers.get('allow')?.split(', ').sort()).toEqual(['GET', 'HEAD', 'POST']);
  expect(headers.get('content-type')).toBe('application/problem+json');
});

test('TRACE, for which no Request can be made, is 405 as well', async () => {
  const server = serve({ fetch: api.app.fetch, port: 0, hostname: '127.0.0.1' });
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const headers = { authorization: `Bearer ${KEY}` };
    const asked = { port, method: 'TRACE', path: '/v1/targets', headers, agent: false };
    const [response] = (await once(request(asked).end(), 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(405);
    response.resume();
  } finally {
    server.close();
  }
});

test('a malformed idempotency key is 400', async () => {
  const { status, body } = await api.request('POST', `/v1/consumers/${unknown}/pause`, undefined, {
    'idempotency-key': 'x'.repeat(256),
  });
  expect([status, body.code]).toEqual([400, 'invalid_header']);
});

test('a body of 11 MB is 413, with a declared length or in chunks, and nothing is stored', async () => {
  const before = await rowCounts();
  const big = JSON.stringify({ ...target, metadata: { text: 'x'.repeat(11_000_000) } });
  const server = serve({ fetch: api.app.fetch, port: 0, hostname: '127.0.0.1' });
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/v1/targets`;
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
    const whole = await fetch(url, { method: 'POST', headers, body: big });
    expect(whole.status).toBe(413);
    expect(await whole.json()).toMatchObject({ code: 'too_large', status: 413 });
    const chunks = new Blob([big]).stream();
    const chunked = await fetch(url, { method: 'POST', headers, body: chunks, duplex: 'half' });
    expect(chunked.status).toBe(413);
    await chunked.body?.cancel();
    expect((await fetch(url, { headers })).status).toBe(200);
  } finally {
    server.close();
  }
  expect(await rowCounts()).toEqual(before);
});

test('while Postgres is away everything but /healthz is 503 with Retry-After', async () => {
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  closed.close();
  await using away = openApp(`postgres://x:hunter2@127.0.0.1:${port}/x`);
  for (const [method, path, body] of [
    ['GET', '/v1/targets'],
    ['POST', '/v1/targets', target],
    ['GET', `/v1/consumers/${unknown}`],
    ['POST', '/v1/consumers', { name: 'c', target_id: unknown, stream: 'events' }],
    ['GET', '/v1/changes'],
  ] as const) {
    const answer = await away.request(method, path, body);
    expect([path, answer.status, answer.body.code]).toEqual([path, 503, 'database_unavailable']);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(JSON.stringify(answer.body)).not.toMatch(/hunter2|ECONNREFUSED/u);
  }
  expect((await away.request('GET', '/healthz')).status).toBe(200);
});

test('/readyz names every part that is not ready, throws or does not answer', async () => {
  await using waiting = openApp(api.databaseUrl, {
    checks: {
      database: async () => true,
      temporal: () => Promise.reject(new Error('s3cret')),
      worker: () => new Promise(() => undefined),
    },
  });
  const { status, body, headers } = await waiting.request('GET', '/readyz');
  expect([status, body.code, body.missing]).toEqual([503, 'not_ready', ['temporal', 'worker']]);
  expect(headers.get('retry-after')).toBe('1');
  expect(JSON.stringify(body)).not.toContain('s3cret');
});

test('an unexpected error is a 500 without details, and is logged with its request id', async () => {
  const logged: object[] = [];
  const app = createRoutes();
  app.onError(
    createOnError({ warn: () => undefined, error: (fields) => void logged.push(fields) }),
  );
  app.use((c, next) => {
    c.set('requestId', 'r1');
    return next();
  });
  app.get('/boom', () => {
    throw new TypeError('s3cret');
  });
  const response = await app.request('/boom');
  const text = await response.text();
  expect(response.status).toBe(500);
  expect(JSON.parse(text)).toMatchObject({ code: 'internal', request_id: 'r1' });
  expect(text).not.toContain('s3cret');
  expect(logged).toEqual([
    expect.objectContaining({ request_id: 'r1', err: expect.any(TypeError) }),
  ]);
});

import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { answerClientErrors, MAX_HEADER_BYTES } from '../../src/api/clientErrors.ts';
import { openOwnApp, type OwnApp } from '../support/app.ts';

// What `npm run schemathesis` has found, each kept from coming back.

let api: OwnApp;

beforeAll(async () => {
  api = await openOwnApp();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const unknown = '0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11';

async function makeTarget(): Promise<string> {
  const { body } = await api.request('POST', '/v1/targets', {
    name: 't',
    base_url: 'https://example.com/hooks',
  });
  return body.id;
}

test('a required body cannot be left out, even where all its fields may be', async () => {
  const id = await makeTarget();
  for (const [method, path] of [
    ['PATCH', `/v1/targets/${id}`],
    ['PUT', '/v1/syncs/s'],
    ['PATCH', `/v1/consumers/${unknown}`],
    ['POST', `/v1/consumers/${unknown}/filter`],
  ] as const) {
    const { status, body } = await api.request(method, path);
    expect({ path, status, code: body.code }).toEqual({
      path,
      status: 415,
      code: 'unsupported_media_type',
    });
  }
});

test.each([
  ['/v1/targets/test', 'GET'],
  ['/v1/targets/test', 'PATCH'],
  ['/v1/targets/test', 'DELETE'],
  [`/v1/consumers/${unknown}/dead-letters/replay`, 'GET'],
  [`/v1/consumers/${unknown}/dead-letters/replay`, 'DELETE'],
  ['/v1/targets/test', 'OPTIONS'],
])('%s is not mistaken for an id: %s is a 405 that allows POST', async (path, method) => {
  const { status, headers, body } = await api.request(
    method,
    path,
    method === 'PATCH' ? {} : undefined,
  );
  expect([status, body.code, headers.get('allow')]).toEqual([405, 'method_not_allowed', 'POST']);
});

test('times with any offset of RFC 3339 are accepted, even those that Postgres does not know', async () => {
  const target_id = await makeTarget();
  const made = await api.request('POST', '/v1/consumers', {
    name: 'c',
    target_id,
    stream: 'events',
    start: { time: '0820-05-06T14:52:41.5-17:00' },
  });
  expect(made.status).toBe(201);
  const record = { sync_id: 'far', collection_id: 'a:b', upstream_id: '1', data: {} };
  const sent = { ...record, upstream_updated_at: '2026-11-23T10:00:00.123456+23:59' };
  expect((await api.request('POST', '/v1/records', { records: [sent] })).status).toBe(200);
  const { body } = await api.request('GET', '/v1/records?sync_id=far');
  expect(body.records[0].upstream_updated_at).toBe('2026-11-22T10:01:00.123456Z');
});

test('a request that the HTTP parser refuses is answered with a problem as well', async () => {
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (_request, response) =>
    response.end(),
  );
  answerClientErrors(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ask = async (head: string): Promise<{ status: number; body: Record<string, unknown> }> => {
    const socket = connect(port, '127.0.0.1');
    socket.write(head);
    const answer = await text(socket);
    expect(answer).toContain('content-type: application/problem+json');
    return {
      status: Number(answer.split(' ')[1]),
      body: JSON.parse(answer.slice(answer.indexOf('{'))) as Record<string, unknown>,
    };
  };
  const large = await ask(`GET /${'x'.repeat(MAX_HEADER_BYTES)} HTTP/1.1\r\nhost: x\r\n\r\n`);
  expect([large.status, large.body['code']]).toEqual([431, 'headers_too_large']);
  const malformed = await ask('what is this\r\n\r\n');
  expect([malformed.status, malformed.body['code']]).toEqual([400, 'malformed_request']);
  server.close();
});

import { afterAll, beforeAll, expect, test } from 'vitest';

import { openOwnApp, type OwnApp } from '../support/app.ts';
import { openRaw } from '../support/rawServer.ts';
import { openReceiver } from '../support/receiver.ts';

let api: OwnApp;
beforeAll(async () => {
  api = await openOwnApp();
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const save = (fields: object) =>
  api.request('POST', '/v1/targets', { name: 't', base_url: 'https://example.com', ...fields });

const RESERVED = `
  Host Content-Length Content-Type Content-Encoding Content-Range User-Agent
  Connection Keep-Alive TE Trailer Trailers Transfer-Encoding Upgrade
  HTTP2-Settings Expect Proxy-Authorization Proxy-Connection Proxy-Anything
  webhook-id Webhook-Timestamp WEBHOOK-SIGNATURE webhook-anything
  millrace-consumer Millrace-Position millrace-attempt millrace-anything
  traceparent Tracestate`
  .trim()
  .split(/\s+/u);

test.each(RESERVED)('%s may not be set, nor carry the credentials', async (name) => {
  const own = await save({ headers: { 'X-Fine': '1', [name]: 'x' } });
  expect([own.status, own.body.errors[0].pointer]).toEqual([422, `/headers/${name}`]);
  const by = await save({ credentials: { type: 'header', name, value: 'x' } });
  expect([by.status, by.body.errors[0].pointer]).toEqual([422, '/credentials/name']);
});

const VALUES: [what: string, value: string][] = [
  ['CR LF and a header', 'a\r\nx-evil: 1'],
  ['LF', 'a\nb'],
  ['CR', 'a\rb'],
  ['NUL', 'a\u0000b'],
  ['a control character', 'a\u0001b'],
  ['DEL', 'a\u007fb'],
  ['Latin-1', 'café'],
  ['what becomes CR LF in Latin-1', 'a\u560d\u560ab'],
  ['an emoji', 'a😀'],
  ['a line separator', 'a\u2028b'],
  ['half a surrogate pair', 'a\ud83d'],
  ['more than 4 KB', 'a'.repeat(4_097)],
];

test.each(VALUES)('a header value with %s is refused by name', async (_what, value) => {
  for (const [fields, pointer] of [
    [{ headers: { 'X-A': value } }, '/headers/X-A'],
    [{ credentials: { type: 'bearer', token: value } }, '/credentials/token'],
    [{ credentials: { type: 'header', name: 'X-A', value } }, '/credentials/value'],
  ] as const) {
    const { status, body } = await save(fields);
    expect([status, body.errors[0].pointer]).toEqual([422, pointer]);
    expect(JSON.stringify(body)).not.toContain(JSON.stringify(value).slice(1, -1));
  }
});

test.each(['', 'a b', 'a:b', 'a\r\nb', 'a\nb', 'ä', 'a\u0000', 'a(b)', '"a"', 'x'.repeat(129)])(
  'a header can’t be called %j',
  async (name) => {
    const own = await save({ headers: { [name]: 'x' } });
    expect([own.status, own.body.errors[0].pointer.startsWith('/headers')]).toEqual([422, true]);
    const by = await save({ credentials: { type: 'header', name, value: 'x' } });
    expect([by.status, by.body.errors[0].pointer]).toEqual([422, '/credentials/name']);
  },
);

test('more than 50 headers are refused', async () => {
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`x-${n}`, '1']));
  expect((await save({ headers: many(50) })).status).toBe(201);
  const { status, body } = await save({ headers: many(51) });
  expect([status, body.errors[0].pointer]).toEqual([422, '/headers']);
});

test('a header that is allowed arrives once, as it was set, beside the sender’s own', async () => {
  await using receiver = await openReceiver();
  const headers = { Cookie: 'a=b', 'X-Odd!#$%&': '\ta "quoted", value ~', Accept: 'text/plain' };
  const draft = { name: 't', base_url: receiver.url, headers };
  const { body } = await api.request('POST', '/v1/targets/test', draft);
  expect(body.outcome).toBe('delivered');
  const [one] = receiver.received;
  expect(one?.headers).toMatchObject({
    cookie: 'a=b',
    'x-odd!#$%&': 'a "quoted", value ~',
    accept: 'text/plain',
    host: new URL(receiver.url).host,
    'content-type': 'application/json',
    'user-agent': 'Millrace/test',
  });
});

test('names of headers are sent as they were written, and the sender’s own stay as they are', async () => {
  await using server = await openRaw({
    answer: (socket) => socket.write('HTTP/1.1 204 No Content\r\n\r\n'),
  });
  const draft = {
    name: 't',
    base_url: `http://127.0.0.1:${server.port}/in`,
    headers: { 'X-Custom-ID': 'a', SOAPAction: 'b', accept: 'c' },
    credentials: { type: 'header', name: 'X-API-Key', value: 'planted-secret' },
  };
  for (const path of ['/v1/targets/test', '/v1/targets']) {
    const { body } = await api.request('POST', path, draft);
    if (path === '/v1/targets') await api.request('POST', `/v1/targets/${body.id}/test`);
    const lines = server.requests.at(-1)?.head.split('\r\n') ?? [];
    expect(lines).toEqual(
      expect.arrayContaining([
        'X-Custom-ID: a',
        'SOAPAction: b',
        'accept: c',
        'X-API-Key: planted-secret',
      ]),
    );
    for (const own of ['host', 'content-type', 'user-agent', 'webhook-id', 'webhook-signature'])
      expect(lines.filter((line) => line.startsWith(`${own}: `)).length).toBe(1);
  }
  expect(server.requests.length).toBe(2);
});

test('a header of the credentials is refused beside another one whose name differs only in case', async () => {
  const credentials = { type: 'header', name: 'X-API-Key', value: 'planted-secret' };
  const { status, body } = await save({ headers: { 'x-Api-key': 'x' }, credentials });
  expect([status, body.errors[0].pointer]).toEqual([422, '/headers/x-Api-key']);
});

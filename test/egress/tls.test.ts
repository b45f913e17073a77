import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { openOwnApp, type OwnApp } from '../support/app.ts';
import { selfSigned, type Certificate } from '../support/certificate.ts';

let api: OwnApp;
let own: Certificate;

beforeAll(async () => {
  api = await openOwnApp();
  own = selfSigned();
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

async function openTls({ key, cert }: Certificate) {
  const got: string[] = [];
  const server = createServer({ key, cert }, (request, response) => {
    got.push(request.url ?? '');
    response.writeHead(204).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    got,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const draft = (base_url: string, ca: string | null = null) => ({ name: 't', base_url, ca });

test('a certificate that no known authority has signed is refused, and accepted when its authority is set as ca', async () => {
  await using server = await openTls(own);
  for (const host of ['127.0.0.1', 'localhost']) {
    const url = `https://${host}:${server.port}/in`;
    const without = await api.request('POST', '/v1/targets/test', draft(url));
    expect(without.body).toMatchObject({ outcome: 'failed', error_code: 'TLS_FAILED' });
    expect(server.got).toEqual([]);
    const made = await api.request('POST', '/v1/targets', draft(url, own.cert));
    expect([made.status, made.body.ca]).toEqual([201, own.cert]);
    const path = `/v1/targets/${made.body.id}`;
    expect((await api.request('POST', `${path}/test`)).body.outcome).toBe('delivered');
    expect(server.got.splice(0)).toEqual(['/in']);

    const other = await api.request('PATCH', path, { ca: selfSigned().cert });
    expect(other.status).toBe(200);
    expect((await api.request('POST', `${path}/test`)).body.error_code).toBe('TLS_FAILED');
    await api.request('PATCH', path, { ca: null });
    expect((await api.request('POST', `${path}/test`)).body.error_code).toBe('TLS_FAILED');
    expect(server.got).toEqual([]);
  }
});

test('a certificate of another name is refused although its authority is trusted', async () => {
  await using server = await openTls(own);
  const url = `https://127.0.0.2:${server.port}/in`;
  const { body } = await api.request('POST', '/v1/targets/test', draft(url, own.cert));
  expect(['TLS_FAILED', 'CONNECTION_REFUSED']).toContain(body.error_code);
  const renamed = `https://foo.localhost:${server.port}/in`;
  const other = await api.request('POST', '/v1/targets/test', draft(renamed, own.cert));
  expect(['TLS_FAILED', 'DNS_FAILED']).toContain(other.body.error_code);
  expect(server.got).toEqual([]);
});

test('verification stays on even where the environment turns it off', async () => {
  await using server = await openTls(own);
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  try {
    const url = `https://127.0.0.1:${server.port}/in`;
    const { body } = await api.request('POST', '/v1/targets/test', draft(url));
    expect(body.error_code).toBe('TLS_FAILED');
  } finally {
    delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  }
});

test('a text that is not a bundle of certificates is refused by name; text between certificates is allowed', async () => {
  const url = 'https://example.com';
  const bundle = `# ours\n${own.cert}\nsubject=/CN=x\n${selfSigned().cert}`;
  expect((await api.request('POST', '/v1/targets', draft(url, bundle))).status).toBe(201);
  const broken = own.cert.replace(/\n.{64}\n/u, '\n');
  for (const ca of ['', 'no', broken, own.key, own.cert + own.key, 'x'.repeat(65_537)]) {
    const { status, body } = await api.request('POST', '/v1/targets', draft(url, ca));
    expect([status, body.errors[0].pointer]).toEqual([422, '/ca']);
    expect(JSON.stringify(body)).not.toContain(own.key.slice(40, 80));
  }
});

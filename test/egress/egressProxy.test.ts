import { once } from 'node:events';
import { createServer as createHttp, type IncomingMessage } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

import { expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { postOnce } from '../../src/egress/postOnce.ts';
import { newSigningSecret } from '../../src/egress/signing.ts';
import { loadConfig } from '../../src/process/config.ts';
import type { OpenTarget } from '../../src/targets/openTarget.ts';
import { testTarget } from '../../src/targets/testTarget.ts';
import { issue, selfSigned } from '../support/certificate.ts';
import { openEgressProxy } from '../support/egressProxy.ts';
import { listening } from '../support/listening.ts';
import { until } from '../support/poll.ts';
import { openPoster } from '../support/poster.ts';
import { openRaw } from '../support/rawServer.ts';
import { openReceiver } from '../support/receiver.ts';

const targetAt = (baseUrl: string, ca: string | null = null): OpenTarget => ({
  id: newId(),
  version: 1,
  baseUrl,
  headers: {},
  hidden: [],
  oauth: null,
  ca,
  clientCertificate: null,
  secrets: [newSigningSecret()],
  previousUntil: null,
  timeoutMs: 10_000,
  maxInFlight: 1,
  rateLimit: null,
});

const BASIC = `Basic ${btoa('user:pass word')}`;
const userAgent = 'Millrace/test';

test('with an egress proxy names are left to it, over http and over https', async () => {
  await using proxy = await openEgressProxy();
  await using receiver = await openReceiver();
  const egress = createEgress({
    allowCidrs: [],
    proxyUrl: proxy.url,
    resolve: () => Promise.reject(new Error('a name was looked up here')),
  });
  const { port } = new URL(receiver.url);
  const http = targetAt(`http://hooks.test:${port}/in`);
  expect(await testTarget(http, { egress, userAgent, now: Date.now })).toMatchObject({
    outcome: 'delivered',
  });
  expect(receiver.received[0]).toMatchObject({ path: '/in', attempt: 1 });
  expect(receiver.received[0]?.headers).not.toHaveProperty('proxy-authorization');
  const url = `http://hooks.test:${port}/post`;
  const posted = await postOnce(egress, url, { headers: {}, body: '{}', timeoutMs: 10_000 });
  expect(posted.status).toBe(204);

  const own = selfSigned();
  const server = createHttps(own, (_request, response) => response.writeHead(204).end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const tlsPort = (server.address() as AddressInfo).port;
  const https = `https://hooks.test:${tlsPort}/in`;
  // The name is not the certificate's: it is the target that is verified, through the proxy.
  for (const ca of [null, own.cert]) {
    const { error_code } = await testTarget(targetAt(https, ca), {
      egress,
      userAgent,
      now: Date.now,
    });
    expect(error_code).toBe('TLS_FAILED');
  }
  server.close();
  server.closeAllConnections();
  expect(proxy.asked).toEqual([
    `POST http://hooks.test:${port}/in ${BASIC}`,
    `POST http://hooks.test:${port}/post ${BASIC}`,
    `CONNECT hooks.test:${tlsPort} ${BASIC}`,
    `CONNECT hooks.test:${tlsPort} ${BASIC}`,
  ]);
});

test('with an egress proxy a connection is not used beyond its greatest age either', async () => {
  await using proxy = await openEgressProxy();
  const own = issue({ isAuthority: true, names: ['hooks.test'] });
  const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';
  await using server = await openRaw({ tls: own, answer: (socket) => socket.write(ok) });
  const egress = createEgress({ allowCidrs: [], proxyUrl: proxy.url, maxAgeMs: 200 });
  const origin = `https://hooks.test:${server.port}`;
  await using poster = openPoster({ egress, origin, timeoutMs: 10_000, ca: own.cert });
  let posts = 0;
  await until(async () => {
    posts += 1;
    expect(await poster.post()).toMatchObject({ kind: 'delivered' });
    return proxy.asked.length === 3; // the name was looked up as often
  });
  expect(server.requests.length).toBe(posts);
  expect(posts).toBeGreaterThan(3);
});

test('an egress proxy that refuses to connect is named in the outcome', async () => {
  const refuses = createHttp().on('connect', (_request: IncomingMessage, socket: Socket) =>
    socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n'),
  );
  await using proxy = await listening(refuses);
  const egress = createEgress({ allowCidrs: [], proxyUrl: proxy.url });
  const target = targetAt('https://hooks.test/in');
  expect(await testTarget(target, { egress, userAgent, now: Date.now })).toMatchObject({
    error_code: 'CONNECTION_REFUSED',
    detail: 'the egress proxy answered HTTP 403 to CONNECT',
  });
});

test('an egress proxy that cannot be reached is named in the outcome, and no endpoint is blamed', async () => {
  const gone = await openEgressProxy();
  await gone[Symbol.asyncDispose]();
  const egress = createEgress({ allowCidrs: [], proxyUrl: gone.url });
  for (const origin of ['http://hooks.test', 'https://hooks.test']) {
    await using poster = openPoster({ egress, origin, timeoutMs: 10_000 });
    const outcome = await poster.post();
    expect(outcome).toMatchObject({
      kind: 'ours',
      lasting: 'proxy_unreachable',
      detail:
        "The egress proxy that MILLRACE_EGRESS_PROXY names can't be used (connection refused): " +
        'start it, or correct the variable and restart the processes',
    });
    const tested = await testTarget(targetAt(origin), { egress, userAgent, now: Date.now });
    expect(tested).toMatchObject({
      outcome: 'failed',
      status: null,
      error_code: 'PROXY_UNREACHABLE',
      detail: outcome.kind === 'ours' && outcome.detail,
    });
    expect(JSON.stringify([outcome, tested])).not.toMatch(/pass(?:%20| )word/u);
  }
});

test('an egress proxy that dies while a request is open is named in the outcome, and no endpoint is blamed', async () => {
  const proxy = await openEgressProxy();
  await using receiver = await openReceiver(() => void proxy[Symbol.asyncDispose]());
  const egress = createEgress({ allowCidrs: [], proxyUrl: proxy.url });
  const origin = `http://hooks.test:${new URL(receiver.url).port}`;
  await using poster = openPoster({ egress, origin, timeoutMs: 10_000 });
  expect(await poster.post()).toMatchObject({ kind: 'ours', lasting: 'proxy_unreachable' });
  expect(receiver.received).toHaveLength(1);
});

test.each<[what: string, answer: string, why: string]>([
  [
    'refuses its credentials',
    'HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n',
    'it refuses the credentials in its URL, HTTP 407',
  ],
  ['closes the connection', '', 'connection lost while connecting'],
])('an egress proxy that %s is named, and no endpoint blamed', async (_what, answer, why) => {
  const refuses = createHttp().on('connect', (_request: IncomingMessage, socket: Socket) =>
    socket.end(answer),
  );
  await using proxy = await listening(refuses);
  const egress = createEgress({ allowCidrs: [], proxyUrl: proxy.url });
  await using poster = openPoster({ egress, origin: 'https://hooks.test', timeoutMs: 10_000 });
  const outcome = await poster.post();
  expect(outcome).toMatchObject({ kind: 'ours', lasting: 'proxy_unreachable' });
  expect(outcome.kind === 'ours' && outcome.detail).toContain(why);
});

test('with an egress proxy an IP literal that is not allowed is refused before the proxy is asked', async () => {
  await using proxy = await openEgressProxy();
  await using receiver = await openReceiver();
  const { port } = new URL(receiver.url);
  const closed = createEgress({ allowCidrs: [], proxyUrl: proxy.url });
  for (const host of [
    '127.0.0.1',
    '0x7f.1',
    '[::1]',
    '169.254.169.254',
    'localhost',
    'a.localhost',
  ]) {
    const target = targetAt(`http://${host}:${port}/in`);
    const { error_code } = await testTarget(target, { egress: closed, userAgent, now: Date.now });
    expect([host, error_code]).toEqual([host, 'ADDRESS_REFUSED']);
  }
  expect(proxy.asked).toEqual([]);
  const open = createEgress({ allowCidrs: ['127.0.0.0/8'], proxyUrl: proxy.url });
  const target = targetAt(`http://127.0.0.1:${port}/in`);
  const tested = await testTarget(target, { egress: open, userAgent, now: Date.now });
  expect([tested.outcome, proxy.asked.length]).toEqual(['delivered', 1]);
});

test('a proxy that is not an http URL is refused by name, without showing its password', () => {
  const load = (MILLRACE_EGRESS_PROXY: string) => () =>
    loadConfig({ MILLRACE_EGRESS_PROXY }, 'dev').egressProxy;
  expect(load('https://user:secret@proxy.test:3128')()).toBe('https://user:secret@proxy.test:3128');
  expect(load('')()).toBeNull();
  expect(load('socks5://user:secret@proxy.test')).toThrow(
    'MILLRACE_EGRESS_PROXY must be an http or https URL.',
  );
});

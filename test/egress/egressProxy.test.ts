import { once } from 'node:events';
import { createServer as createHttp, request as forward, type IncomingMessage } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';

import { expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { postOnce } from '../../src/egress/postOnce.ts';
import { newSigningSecret } from '../../src/egress/signing.ts';
import { loadConfig } from '../../src/process/config.ts';
import type { OpenTarget } from '../../src/targets/openTarget.ts';
import { testTarget } from '../../src/targets/testTarget.ts';
import { issue, selfSigned } from '../support/certificate.ts';
import { listening } from '../support/listening.ts';
import { until } from '../support/poll.ts';
import { openPoster } from '../support/poster.ts';
import { openRaw } from '../support/rawServer.ts';
import { openReceiver } from '../support/receiver.ts';

/** A proxy to whom every name is 127.0.0.1, and who says what it was asked for. */
async function openProxy() {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createHttp((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? ''}`);
    const url = new URL(request.url ?? '');
    const { 'proxy-authorization': _own, ...headers } = request.headers;
    const options = { port: url.port, path: url.pathname, method: request.method, headers };
    const onward = forward({ host: '127.0.0.1', ...options }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    asked.push(`CONNECT ${request.url} ${request.headers['proxy-authorization'] ?? ''}`);
    const upstream = connect(Number(request.url?.split(':').at(-1)), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.pipe(socket).pipe(upstream);
    });
    for (const one of [socket, upstream]) {
      sockets.add(one);
      one.on('error', () => undefined); // its other side has ended it
      one.on('close', () => upstream.destroy() && socket.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://user:pass%20word@127.0.0.1:${port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const targetAt = (baseUrl: string, ca: string | null = null): OpenTarget => ({
  id: newId(),
  version: 1,
  baseUrl,
  headers: {},
  hidden: [],
  oauth: null,
  ca,
  secrets: [newSigningSecret()],
  previousUntil: null,
  timeoutMs: 10_000,
  maxInFlight: 1,
  rateLimit: null,
});

const BASIC = `Basic ${btoa('user:pass word')}`;
const userAgent = 'Millrace/test';

test('with an egress proxy names are left to it, over http and over https', async () => {
  await using proxy = await openProxy();
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
  await using proxy = await openProxy();
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

test('with an egress proxy a literal that may not be reached is refused before the proxy hears of it', async () => {
  await using proxy = await openProxy();
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

test('a proxy that is no http URL is refused by name, without its password', () => {
  const load = (MILLRACE_EGRESS_PROXY: string) => () =>
    loadConfig({ MILLRACE_EGRESS_PROXY }, 'dev').egressProxy;
  expect(load('https://user:secret@proxy.test:3128')()).toBe('https://user:secret@proxy.test:3128');
  expect(load('')()).toBeNull();
  expect(load('socks5://user:secret@proxy.test')).toThrow(
    'MILLRACE_EGRESS_PROXY must be an http or https URL.',
  );
});

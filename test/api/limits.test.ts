import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';

import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';

import { createRateLimit } from '../../src/access/rateLimit.ts';
import { createOnError } from '../../src/api/errors.ts';
import { readBody } from '../../src/api/requests.ts';
import { createRoutes } from '../../src/api/route.ts';
import { createApiServer } from '../../src/api/server.ts';
import { KEY, openApp, openOwnApp, type OwnApp } from '../support/app.ts';
let api: OwnApp;

beforeAll(async () => {
  api = await openOwnApp();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const target = { name: 't', base_url: 'https://example.com' };

/** Until its test ends no time passes by which a rate lets more through. */
const stopClock = () => vi.spyOn(performance, 'now').mockReturnValue(Math.ceil(performance.now()));
afterEach(() => vi.restoreAllMocks());

describe('the rate limit', () => {
  test('allows a burst of twice the rate, then the rate, and says how long to wait', () => {
    const clock = { now: 5_000 };
    const limit = createRateLimit(10, () => clock.now);
    for (let left = 19; left >= 0; left--) {
      expect(limit.spend('a')).toMatchObject({ allowed: true, remaining: left });
    }
    expect(limit.spend('a')).toEqual({ allowed: false, remaining: 0, waitMs: 100 });
    expect(limit.spend('b').allowed).toBe(true);
    clock.now += 99;
    expect(limit.spend('a')).toMatchObject({ allowed: false, waitMs: 1 });
    clock.now += 1;
    expect(limit.spend('a').allowed).toBe(true);
    clock.now += 2_000;
    expect(limit.spend('a').remaining).toBe(19);
  });

  test('is never exceeded, whenever requests arrive', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 300 }),
        (perSecond, gaps) => {
          const clock = { now: 0 };
          const limit = createRateLimit(perSecond, () => clock.now);
          const passed: number[] = [];
          for (const gap of gaps) {
            clock.now += gap;
            if (limit.spend('a').allowed) passed.push(clock.now);
          }
          for (const [index, from] of passed.entries()) {
            for (const [more, to] of passed.slice(index).entries()) {
              const most = limit.burst + (perSecond * (to - from)) / 1_000;
              expect(more + 1).toBeLessThanOrEqual(most + 1e-6);
            }
          }
        },
      ),
    );
  });

  test('is stated in the headers of each answer, and one request too many is 429 with Retry-After', async () => {
    await using limited = openApp(api.databaseUrl, {}, { requestsPerSecond: 2 });
    stopClock();
    const answers = [];
    for (let turn = 0; turn < 5; turn++) answers.push(await limited.request('GET', '/v1/info'));
    const told = answers.map(({ status, headers }) => [
      status,
      headers.get('ratelimit-policy'),
      headers.get('ratelimit'),
    ]);
    expect(told.slice(0, 4)).toEqual([
      [200, '"key";q=4;w=2', '"key";r=3;t=1'],
      [200, '"key";q=4;w=2', '"key";r=2;t=1'],
      [200, '"key";q=4;w=2', '"key";r=1;t=2'],
      [200, '"key";q=4;w=2', '"key";r=0;t=2'],
    ]);
    const last = answers[4]!;
    expect([last.status, last.body.code]).toEqual([429, 'rate_limited']);
    expect(last.headers.get('retry-after')).toBe('1');
    expect(last.headers.get('ratelimit')).toBe('"key";r=0;t=1');
    expect(last.headers.get('content-type')).toBe('application/problem+json');
  });

  test('is 1,000 for each key and none for the key of the configuration, unless it is set', async () => {
    const { body } = await api.request('POST', '/v1/api-keys', { name: 'k', scopes: ['read'] });
    const headers = { authorization: `Bearer ${body.key}` };
    const own = await api.request('GET', '/v1/info', undefined, headers);
    expect(own.headers.get('ratelimit-policy')).toBe('"key";q=2000;w=2');
    expect(own.headers.get('ratelimit')).toMatch(/^"key";r=1999;t=1$/u);
    const bootstrap = await api.request('GET', '/v1/info');
    expect(bootstrap.headers.get('ratelimit')).toBeNull();
    await using off = openApp(api.databaseUrl, {}, { requestsPerSecond: 0 });
    const none = await off.request('GET', '/v1/info', undefined, headers);
    expect([none.status, none.headers.get('ratelimit')]).toEqual([200, null]);
  });

  test('of one key is not used up by another key, nor by requests that are refused earlier', async () => {
    await using limited = openApp(api.databaseUrl, {}, { requestsPerSecond: 1 });
    stopClock();
    const { body } = await api.request('POST', '/v1/api-keys', { name: 'k', scopes: ['read'] });
    const headers = { authorization: `Bearer ${body.key}` };
    for (let turn = 0; turn < 3; turn++) {
      const wrong = await limited.request('GET', '/v1/info', undefined, {
        authorization: 'Bearer wrong',
      });
      expect(wrong.status).toBe(401);
      await limited.request('GET', '/v1/info');
    }
    expect((await limited.request('GET', '/v1/info')).status).toBe(429);
    expect((await limited.request('GET', '/v1/info', undefined, headers)).status).toBe(200);
  });
});

describe('a request that goes too far', () => {
  let server: Server;
  let port: number;

  beforeAll(async () => {
    server = createApiServer(api.app.fetch);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });

  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  async function post(path: string, body: string): Promise<[number, string]> {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      body,
    });
    const { code } = (await response.json()) as { code: string };
    return [response.status, code];
  }

  test('in nesting, with 10,000 or with 4 million levels, is refused, and the process survives', async () => {
    for (const levels of [101, 10_000, 4_000_000]) {
      const [open, close] = ['['.repeat(levels), ']'.repeat(levels)];
      const metadata = `{"name":"t","base_url":"https://example.com","metadata":{"a":${open}${close}}}`;
      expect(await post('/v1/targets', metadata)).toEqual([400, 'malformed_json']);
      expect(await post('/v1/targets', open)).toEqual([400, 'malformed_json']);
      const objects = `${'{"a":'.repeat(Math.min(levels, 1e6))}1`;
      expect(await post('/v1/consumers', objects)).toEqual([400, 'malformed_json']);
    }
    for (const levels of [10_000, 900_000]) {
      const data = `${'['.repeat(levels)}${']'.repeat(levels)}`;
      const entry = `{"sync_id":"s","collection_id":"a:b","upstream_id":"u","data":${data}}`;
      expect((await post('/v1/records', `{"records":[${entry}]}`))[0]).toBe(422);
    }
    const quoted = { ...target, metadata: { text: '['.repeat(10_000), deep: [[[[{ a: [] }]]]] } };
    expect((await api.request('POST', '/v1/targets', quoted)).status).toBe(201);
  });

  const LONG = 'content-length: 33554434\r\n\r\n{\n';
  const CHUNKED = 'transfer-encoding: chunked\r\n\r\n2000002\r\n{\n';
  test.each([
    ['in the length of a line', 'events', `x-ndjson\r\n${LONG}`, 422, 'invalid_line'],
    ['in the length it declares', 'targets', `json\r\n${LONG}`, 413, 'too_large'],
    ['in length', 'targets', `json\r\n${CHUNKED}`, 413, 'too_large'],
  ])('%s is answered even if the client sends all before it reads', async (...row) => {
    const [, route, begun, status, code] = row;
    const head = `POST /v1/${route} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\n`;
    let answer = '';
    // Several times, as a server that stands still meanwhile may not read on.
    for (let round = 0; round < 20 && !answer.includes(code); round++) {
      const socket = connect(port, '127.0.0.1');
      const lost = once(socket, 'error').then(([error]: Error[]) => String(error));
      socket.write(`${head}content-type: application/${begun}`);
      const sent = (async () => {
        for (let chunk = 0; chunk < 512; chunk++) {
          if (!socket.write(Buffer.alloc(65_536, 0x20))) await once(socket, 'drain');
        }
        const [data] = (await once(socket, 'data')) as [Buffer]; // not read before
        return String(data);
      })();
      answer = await Promise.race([sent, lost]);
      sent.catch(() => undefined);
      socket.destroy();
    }
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*"code":"${code}"`, 'u'));
  });

  test('in the length of its URL is 414, in its headers 431', async () => {
    const long = await api.request('GET', `/v1/consumers?q=${'x'.repeat(9_000)}`);
    expect([long.status, long.body.code]).toEqual([414, 'url_too_long']);
    const headers = (count: number): Record<string, string> => ({
      authorization: `Bearer ${KEY}`,
      ...Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, 'x'])),
    });
    const many = await fetch(`http://127.0.0.1:${port}/v1/info`, { headers: headers(110) });
    expect(many.status).toBe(431);
    expect(await many.json()).toMatchObject({ code: 'too_many_headers' });
    const some = await fetch(`http://127.0.0.1:${port}/v1/info`, { headers: headers(80) });
    expect(some.status).toBe(200);
    const large = await fetch(`http://127.0.0.1:${port}/v1/info`, {
      headers: { 'x-large': 'x'.repeat(20_000) },
    });
    expect(large.status).toBe(431);
  });

  test('in the time that its headers take ends the connection', async () => {
    const hasty = createApiServer(api.app.fetch, {
      headersTimeout: 300,
      connectionsCheckingInterval: 50,
    });
    hasty.listen(0, '127.0.0.1');
    await once(hasty, 'listening');
    const socket = connect((hasty.address() as AddressInfo).port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => (answer += String(chunk)));
    socket.write('GET /v1/info HTTP/1.1\r\nhost: x\r\nx-slow: ');
    const drip = setInterval(() => socket.write('x'), 20);
    socket.on('error', () => undefined); // cut while it writes
    await once(socket, 'close');
    clearInterval(drip);
    hasty.close();
    await once(hasty, 'close');
    expect(answer).toMatch(/^(HTTP\/1\.1 408 |$)/u);
  });

  test('in the time in which no byte moves ends the connection', async () => {
    const app = createRoutes();
    app.onError((_, c) => c.text('cut', 400)); // nobody is there to read it
    app.post('/x', async (c) => c.text(await c.req.text()));
    const quiet = createApiServer(app.fetch, { silentMs: 200 });
    quiet.listen(0, '127.0.0.1');
    await once(quiet, 'listening');
    const socket = connect((quiet.address() as AddressInfo).port, '127.0.0.1');
    socket.write('POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{');
    await once(socket.resume(), 'close');
    quiet.close();
    await once(quiet, 'close');
    expect(socket.bytesRead).toBe(0);
  });

  test('in the time that its body takes is 408, and the connection ends', async () => {
    const app = createRoutes();
    app.onError(createOnError({ warn: () => undefined, error: () => undefined }));
    app.use(readBody(() => 1_000, 200));
    app.post('/x', (c) => c.text('read'));
    const slow = createApiServer(app.fetch);
    slow.listen(0, '127.0.0.1');
    await once(slow, 'listening');
    const head = 'POST /x HTTP/1.1\r\nhost: x\r\n';
    for (const body of [
      'content-length: 100\r\n\r\n{"a":',
      'transfer-encoding: chunked\r\n\r\n1\r\n{',
    ]) {
      const socket = connect((slow.address() as AddressInfo).port, '127.0.0.1');
      socket.write(head + body);
      let answer = '';
      socket.on('data', (chunk) => (answer += String(chunk)));
      await once(socket, 'close');
      expect(answer).toMatch(/^HTTP\/1\.1 408 /u);
      expect(answer).toContain('"code":"request_timeout"');
      expect(answer.toLowerCase()).toContain('connection: close');
    }
    slow.close();
    await once(slow, 'close');
  });
});

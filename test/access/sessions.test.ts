import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createApiServer } from '../../src/api/server.ts';
import { signInLink } from '../../src/embedded/signIn.ts';
import { KEY, openApp, openOwnApp, type OwnApp, type TestApp } from '../support/app.ts';
let api: OwnApp;

beforeAll(async () => {
  api = await openOwnApp();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const SAME = { 'sec-fetch-site': 'same-origin' };
const target = { name: 't', base_url: 'https://example.com' };

/** Without the key that `api.request` sends. */
function send(
  method: string,
  path: string,
  { headers = {}, body, app = api }: { headers?: object; body?: object; app?: TestApp } = {},
): Promise<Response> {
  return Promise.resolve(
    app.app.request(path, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  );
}

/** Signs in and answers with the Cookie header. */
async function signIn(body: object = { api_key: KEY }): Promise<string> {
  const response = await send('POST', '/v1/session', { body });
  expect(response.status).toBe(200);
  return response.headers.get('set-cookie')!.split(';')[0]!;
}

async function makeKey(more: object): Promise<{ id: string; key: string }> {
  const input = { name: 'k', scopes: ['read'], ...more };
  return (await api.request('POST', '/v1/api-keys', input)).body;
}

async function code(response: Response): Promise<[number, string]> {
  const body = (await response.json()) as { code: string };
  return [response.status, body.code];
}

describe('signing in', () => {
  test('with a key sets a cookie that scripts cannot read and other sites cannot send', async () => {
    const response = await send('POST', '/v1/session', { body: { api_key: KEY } });
    expect(response.status).toBe(200);
    const cookie = response.headers.get('set-cookie')!;
    expect(cookie).toMatch(/^millrace_session=[\w-]{43};/u);
    expect(cookie.split('; ').slice(1).sort()).toEqual(
      ['HttpOnly', 'Max-Age=43200', 'Path=/', 'SameSite=Strict'].sort(),
    );
    expect(response.headers.get('cache-control')).toBe('no-store');
    const body = (await response.json()) as { expires_at: string };
    expect(body).toMatchObject({
      name: 'bootstrap',
      api_key_id: null,
      scopes: ['ingest', 'read', 'manage'],
      via: 'session',
    });
    expect(Math.abs(Date.parse(body.expires_at) - Date.now() - 43_200_000)).toBeLessThan(10_000);
    const token = /=([^;]+)/u.exec(cookie)![1]!;
    const { rows } = await api.db.query('select encode(hash, $$escape$$) as hash from sessions');
    expect(JSON.stringify(rows)).not.toContain(token);
    expect(api.logged.join()).not.toContain(token);
  });

  test('over https makes the cookie Secure; the word of a proxy counts only where it is trusted', async () => {
    const body = { api_key: KEY };
    const forwarded = { 'x-forwarded-proto': 'https' };
    const flags = async (path: string, options: { headers?: object; app?: TestApp }) =>
      (await send('POST', path, { body, ...options })).headers
        .get('set-cookie')!
        .includes('Secure');
    expect(await flags('https://mill.example/v1/session', {})).toBe(true);
    expect(await flags('http://mill.example/v1/session', {})).toBe(false);
    expect(await flags('/v1/session', { headers: forwarded })).toBe(false);
    await using proxied = openApp(api.databaseUrl, {}, { trustProxy: true });
    expect(await flags('/v1/session', { headers: forwarded, app: proxied })).toBe(true);
    expect(await flags('/v1/session', { app: proxied })).toBe(false);
  });

  test('with a wrong, revoked or expired key is 401', async () => {
    const { id, key } = await makeKey({});
    await api.request('DELETE', `/v1/api-keys/${id}`);
    for (const [api_key, why] of [
      ['nonsense', 'unauthorized'],
      [`mk_${'A'.repeat(43)}`, 'unauthorized'],
      [key, 'key_revoked'],
    ] as const) {
      const response = await send('POST', '/v1/session', { body: { api_key } });
      expect(response.headers.get('set-cookie')).toBeNull();
      expect(await code(response)).toEqual([401, why]);
    }
    const both = await send('POST', '/v1/session', { body: { api_key: KEY, token: 'x' } });
    expect(both.status).toBe(422);
  });

  test('accepts no more than 4 KiB, and nothing but JSON', async () => {
    const large = await send('POST', '/v1/session', { body: { api_key: 'x'.repeat(5_000) } });
    expect(await code(large)).toEqual([413, 'too_large']);
    const form = await api.app.request('/v1/session', {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: JSON.stringify({ api_key: KEY }),
    });
    expect(form.status).toBe(415);
  });

  test('cannot be done by a page of another site', async () => {
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example' },
    ]) {
      const response = await send('POST', '/v1/session', { body: { api_key: KEY }, headers });
      expect(await code(response)).toEqual([403, 'csrf_refused']);
    }
  });
});

describe('a session', () => {
  test('has the scopes and the name of its key, and shows them', async () => {
    const { id, key } = await makeKey({ name: 'viewer', scopes: ['read'] });
    const cookie = await signIn({ api_key: key });
    const who = await send('GET', '/v1/session', { headers: { cookie } });
    expect(await who.json()).toMatchObject({
      name: 'viewer',
      api_key_id: id,
      scopes: ['read'],
      via: 'session',
    });
    expect((await send('GET', '/v1/targets', { headers: { cookie } })).status).toBe(200);
    const refused = await send('POST', '/v1/targets', {
      headers: { cookie, ...SAME },
      body: target,
    });
    expect(await code(refused)).toEqual([403, 'forbidden']);
    const { body } = await api.request('GET', '/v1/session');
    expect(body).toMatchObject({ name: 'bootstrap', via: 'key', expires_at: null });
  });

  test('may make changes only from a page of the console; a key may from anywhere', async () => {
    const cookie = await signIn();
    const host = 'mill.example:4600';
    for (const [headers, status] of [
      [{}, 403],
      [{ 'sec-fetch-site': 'cross-site' }, 403],
      [{ 'sec-fetch-site': 'same-site', origin: `http://${host}` }, 403],
      [{ 'sec-fetch-site': 'none' }, 403],
      [{ origin: 'https://evil.example' }, 403],
      [{ origin: 'null' }, 403],
      [{ origin: 'http://mill.example:3000' }, 403],
      [{ 'sec-fetch-site': 'same-origin' }, 201],
      [{ origin: `http://${host}` }, 201],
      [{ origin: `https://${host}` }, 201],
    ] as const) {
      const response = await send('POST', '/v1/targets', {
        headers: { cookie, host, ...headers },
        body: target,
      });
      expect([headers, response.status]).toEqual([headers, status]);
      if (status === 403) expect(await code(response)).toEqual([403, 'csrf_refused']);
    }
    for (const [method, path] of [
      ['DELETE', '/v1/session'],
      ['PUT', '/v1/syncs/a'],
      ['PATCH', '/v1/targets/x'],
    ] as const) {
      expect((await send(method, path, { headers: { cookie } })).status).toBe(403);
    }
    const foreign = { authorization: `Bearer ${KEY}`, cookie, 'sec-fetch-site': 'cross-site' };
    expect((await send('POST', '/v1/targets', { headers: foreign, body: target })).status).toBe(
      201,
    );
  });

  test('ends with signing out, which removes the cookie', async () => {
    const cookie = await signIn();
    const other = await signIn();
    const out = await send('DELETE', '/v1/session', { headers: { cookie, ...SAME } });
    expect(out.status).toBe(204);
    expect(out.headers.get('set-cookie')).toMatch(/^millrace_session=; Max-Age=0; Path=\//u);
    const after = await send('GET', '/v1/targets', { headers: { cookie } });
    expect(await code(after)).toEqual([401, 'unauthorized']);
    expect((await send('GET', '/v1/targets', { headers: { cookie: other } })).status).toBe(200);
  });

  test('ends when its key is revoked or expires', async () => {
    for (const end of ['revoked_at = now()', 'expires_at = now()']) {
      const { id, key } = await makeKey({});
      const cookie = await signIn({ api_key: key });
      expect((await send('GET', '/v1/targets', { headers: { cookie } })).status).toBe(200);
      await api.db.query({ text: `update api_keys set ${end} where id = $1`, values: [id] });
      expect((await send('GET', '/v1/targets', { headers: { cookie } })).status).toBe(401);
    }
  });

  test('ends when the configured key has changed', async () => {
    const cookie = await signIn();
    await using changed = openApp(api.databaseUrl, {}, { bootstrapKey: 'another-key-0123456789' });
    const headers = { cookie };
    expect((await send('GET', '/v1/info', { headers, app: changed })).status).toBe(401);
    expect((await send('GET', '/v1/info', { headers })).status).toBe(200);
  });

  test('lasts 12 hours from its last use', async () => {
    const cookie = await signIn();
    const fresh = await send('GET', '/v1/info', { headers: { cookie } });
    expect(fresh.headers.get('set-cookie')).toBeNull();
    await api.db.query(`update sessions set expires_at = now() + interval '1 minute'`);
    const used = await send('GET', '/v1/session', { headers: { cookie } });
    expect(used.headers.get('set-cookie')).toContain(`${cookie}; Max-Age=43200`);
    const { expires_at } = (await used.json()) as { expires_at: string };
    expect(Date.parse(expires_at) - Date.now()).toBeGreaterThan(11.9 * 3_600_000);
    await api.db.query(`update sessions set expires_at = now() - interval '1 second'`);
    expect((await send('GET', '/v1/info', { headers: { cookie } })).status).toBe(401);
    await api.access.sessions.clean();
    expect((await api.db.query('select 1 from sessions')).rows).toEqual([]);
  });
});

describe('a sign-in link', () => {
  test('signs in once, with the scopes of the key that made it, and its token is stored hashed', async () => {
    const { key } = await makeKey({ name: 'ops', scopes: ['manage'] });
    const made = await api.request('POST', 'http://127.0.0.1:4600/v1/session/links', undefined, {
      authorization: `Bearer ${key}`,
    });
    expect(made.status).toBe(201);
    const [, token] = /^http:\/\/127\.0\.0\.1:4600\/signin#token=([\w-]{43})$/u.exec(
      made.body.url,
    )!;
    const life = Date.parse(made.body.expires_at) - Date.now();
    expect(Math.abs(life - 15 * 60_000)).toBeLessThan(10_000);
    const { rows } = await api.db.query('select encode(hash, $$hex$$) as hash from signin_tokens');
    expect(JSON.stringify(rows)).not.toContain(token);
    const cookie = await signIn({ token });
    const who = await send('GET', '/v1/session', { headers: { cookie } });
    expect(await who.json()).toMatchObject({ name: 'ops', scopes: ['manage'] });
    const again = await send('POST', '/v1/session', { body: { token } });
    expect(await code(again)).toEqual([401, 'unauthorized']);
  });

  test('begins with the public address where one is set', async () => {
    await using other = openApp(api.databaseUrl, {}, { publicUrl: 'https://millrace.test' });
    const { body } = await other.request('POST', '/v1/session/links');
    expect(body.url).toMatch(/^https:\/\/millrace\.test\/signin#token=/u);
  });

  test('that two people open at the same time signs in only one of them', async () => {
    const { body } = await api.request('POST', '/v1/session/links');
    const [, token] = (body.url as string).split('#token=');
    const both = await Promise.all(
      [1, 2, 3].map(() => send('POST', '/v1/session', { body: { token } })),
    );
    expect(both.map(({ status }) => String(status)).sort()).toEqual(['200', '401', '401']);
  });

  test('that is too old, or whose key was revoked, signs nobody in', async () => {
    const old = await api.request('POST', '/v1/session/links');
    await api.db.query(`update signin_tokens set expires_at = now()`);
    const { id, key } = await makeKey({ scopes: ['manage'] });
    const lost = await api.request('POST', '/v1/session/links', undefined, {
      authorization: `Bearer ${key}`,
    });
    await api.request('DELETE', `/v1/api-keys/${id}`);
    for (const { body } of [old, lost]) {
      const [, token] = (body.url as string).split('#token=');
      const response = await send('POST', '/v1/session', { body: { token } });
      expect(await code(response)).toEqual([401, 'unauthorized']);
    }
  });

  test('is made by npm start with its key; when the API does not answer, there is none', async () => {
    const server = createApiServer(api.app.fetch);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const link = (await signInLink({ url, apiKey: KEY }))!;
    expect(link.startsWith(`${url}/signin#token=`)).toBe(true);
    await signIn({ token: link.split('#token=')[1] });
    expect(await signInLink({ url, apiKey: 'wrong' })).toBeNull();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    expect(await signInLink({ url, apiKey: KEY })).toBeNull();
  });

  test('is made only by a key with the scope manage', async () => {
    const { key } = await makeKey({ scopes: ['read', 'ingest'] });
    const headers = { authorization: `Bearer ${key}` };
    const answer = await api.request('POST', '/v1/session/links', undefined, headers);
    expect([answer.status, answer.body.code]).toEqual([403, 'forbidden']);
  });
});

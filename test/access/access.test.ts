import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';

import { createKeyring } from '../../src/access/keyring.ts';
import { createRoutes } from '../../src/api/route.ts';
import { needsOf } from '../../src/api/scopes.ts';
import { Scope } from '../../src/schema/apiKey.ts';
import {
  KEY,
  openApp,
  openOwnApp,
  type Answer,
  type OwnApp,
  type TestApp,
} from '../support/app.ts';
import { until } from '../support/poll.ts';

let api: OwnApp;

beforeAll(async () => {
  api = await openOwnApp();
});

afterEach(() => void vi.useRealTimers());

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const unknown = '0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11';
const sample = {
  records: [{ sync_id: 's', collection_id: 'a:b', upstream_id: 'u', data: 1 }],
};

async function makeKey(scopes: Scope[], more: object = {}): Promise<{ id: string; key: string }> {
  const { status, body } = await api.request('POST', '/v1/api-keys', {
    name: `a key that may ${scopes.join()}`,
    scopes,
    ...more,
  });
  expect(status).toBe(201);
  return body;
}

function as(key: string): Record<string, string> {
  return { authorization: `Bearer ${key}` };
}

function get(key: string, path = '/v1/info', app: TestApp = api): Promise<Answer> {
  return app.request('GET', path, undefined, as(key));
}

describe('an API key', () => {
  test('is shown once, works immediately, and is stored only as its hash', async () => {
    const made = await api.request('POST', '/v1/api-keys', { name: 'reader', scopes: ['read'] });
    expect(made.status).toBe(201);
    expect(made.headers.get('cache-control')).toBe('no-store');
    expect(made.headers.get('location')).toBe(`/v1/api-keys/${made.body.id}`);
    const { key, ...shown } = made.body;
    expect(key).toMatch(/^mk_[\w-]{43}$/u);
    expect(shown).toMatchObject({
      name: 'reader',
      scopes: ['read'],
      last4: key.slice(-4),
      created_by: 'bootstrap',
      expires_at: null,
      last_used_at: null,
      revoked_at: null,
    });
    expect((await api.request('GET', `/v1/api-keys/${made.body.id}`)).body).toEqual(shown);
    expect((await api.request('GET', '/v1/api-keys')).body.data).toContainEqual(shown);
    expect((await get(key)).status).toBe(200);
    const { rows } = await api.db.query('select row_to_json(k)::text as text from api_keys k');
    expect(JSON.stringify(rows)).not.toContain(key.slice(3));
    expect(api.logged.join()).not.toContain(key);
  });

  test('is refused with invalid scopes, names or ends', async () => {
    for (const [input, pointer] of [
      [{ name: 'x', scopes: [] }, '/scopes'],
      [{ name: 'x', scopes: ['root'] }, '/scopes/0'],
      [{ name: 'bootstrap', scopes: ['read'] }, '/name'],
      [{ name: 'x', scopes: ['read'], expires_at: '2020-01-01T00:00:00Z' }, '/expires_at'],
      [{ name: 'x', scopes: ['read'], key: 'mine' }, '/key'],
    ] as const) {
      const { status, body } = await api.request('POST', '/v1/api-keys', input);
      expect([status, body.errors?.[0]?.pointer]).toEqual([422, pointer]);
    }
  });

  test('is the actor of what it changes', async () => {
    const { key } = await makeKey(['manage'], { name: 'billing' });
    const target = await api.request(
      'POST',
      '/v1/targets',
      { name: 't', base_url: 'https://example.com' },
      as(key),
    );
    await api.request(
      'POST',
      '/v1/consumers',
      { name: 'c', target_id: target.body.id, stream: 'events' },
      as(key),
    );
    expect((await api.request('GET', '/v1/changes')).body.data[0].actor).toBe('billing');
  });

  test('that is missing or unknown is 401 unauthorized', async () => {
    const missing = await api.app.request('/v1/targets');
    expect(missing.status).toBe(401);
    expect(missing.headers.get('www-authenticate')).toBe('Bearer realm="millrace"');
    for (const key of [`mk_${'A'.repeat(43)}`, 'mk_short', `${KEY}x`]) {
      const { status, body, headers } = await get(key);
      expect([status, body.code]).toEqual([401, 'unauthorized']);
      expect(headers.get('www-authenticate')).toContain('error="invalid_token"');
    }
  });

  test('that has expired is 401 key_expired, even while it is cached', async () => {
    const { key } = await makeKey(['read'], {
      expires_at: new Date(Date.now() + 60_000).toISOString(),
    });
    expect((await get(key)).status).toBe(200);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
    const expired = await get(key);
    expect([expired.status, expired.body.code]).toEqual([401, 'key_expired']);
  });

  test('that is revoked is 401 key_revoked immediately, and within 5 s in another process', async () => {
    await using other = openApp(api.databaseUrl);
    const { id, key } = await makeKey(['read']);
    expect((await get(key)).status).toBe(200);
    expect((await get(key, '/v1/info', other)).status).toBe(200);
    vi.useFakeTimers({ toFake: ['performance'] }); // what is known grows no older
    expect((await api.request('DELETE', `/v1/api-keys/${id}`)).status).toBe(204);
    const here = await get(key);
    expect([here.status, here.body.code]).toEqual([401, 'key_revoked']);
    await until(async () => (await get(key, '/v1/info', other)).status === 401);
    vi.useRealTimers();
    expect((await api.request('GET', `/v1/api-keys/${id}`)).body.revoked_at).not.toBeNull();
    expect((await api.request('DELETE', `/v1/api-keys/${id}`)).status).toBe(204);
    expect((await api.request('DELETE', `/v1/api-keys/${unknown}`)).status).toBe(404);
  });

  test('that is revoked ends within 5 s where no NOTIFY arrives', async () => {
    const { id, key } = await makeKey(['read']);
    vi.useFakeTimers({ toFake: ['performance'] });
    await using deaf = createKeyring({
      apiKeys: api.access.apiKeys,
      now: Date.now,
      bootstrapKey: KEY,
      listener: { on: () => () => undefined },
      log: { warn: () => undefined },
    });
    expect(await deaf.authenticate(key)).toHaveProperty('caller');
    await api.request('DELETE', `/v1/api-keys/${id}`);
    vi.advanceTimersByTime(4_999);
    expect(await deaf.authenticate(key)).toEqual({ refused: 'revoked' });
  });

  test('costs one query for many requests, and its use is noted once a minute', async () => {
    const { id, key } = await makeKey(['read']);
    const asked = { find: 0, used: 0 };
    const { apiKeys } = api.access;
    vi.useFakeTimers({ toFake: ['performance'] }); // what is known grows no older
    await using ring = createKeyring({
      apiKeys: {
        find: (digest) => (asked.find++, apiKeys.find(digest)),
        used: (used) => (asked.used++, apiKeys.used(used)),
      },
      now: Date.now,
      bootstrapKey: KEY,
      listener: { on: () => () => undefined },
      log: { warn: () => undefined },
    });
    await Promise.all(Array.from({ length: 100 }, () => ring.authenticate(key)));
    for (let index = 0; index < 500; index++) {
      const verdict = await ring.authenticate(key);
      if ('caller' in verdict) ring.touch(verdict.caller);
    }
    await ring.close();
    expect(asked).toEqual({ find: 1, used: 1 });
    const { body } = await api.request('GET', `/v1/api-keys/${id}`);
    expect(Date.now() - Date.parse(body.last_used_at)).toBeLessThan(60_000);
  });

  test('is 503 while Postgres is away; the configured key still works', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await using away = openApp(`postgres://x:x@127.0.0.1:${port}/x`);
    const key = `mk_${'A'.repeat(43)}`;
    const answer = await get(key, '/v1/info', away);
    expect([answer.status, answer.body.code]).toEqual([503, 'database_unavailable']);
    expect((await get(KEY, '/v1/info', away)).status).toBe(200);
    expect((await get('nonsense', '/v1/info', away)).status).toBe(401);
  });
});

describe('a scope', () => {
  const ingest = { method: 'POST', path: '/v1/records', body: sample };
  const read = { method: 'GET', path: '/v1/targets', body: undefined };
  const manage = {
    method: 'POST',
    path: '/v1/targets',
    body: { name: 't', base_url: 'https://example.com' },
  };
  const keys = { method: 'GET', path: '/v1/api-keys', body: undefined };
  const remove = { method: 'DELETE', path: `/v1/consumers/${unknown}`, body: undefined };

  test.each([
    ['ingest', ingest, 200],
    ['ingest', read, 403],
    ['ingest', manage, 403],
    ['read', ingest, 403],
    ['read', read, 200],
    ['read', manage, 403],
    ['read', remove, 403],
    ['read', keys, 403],
    ['manage', ingest, 403],
    ['manage', read, 200],
    ['manage', manage, 201],
    ['manage', remove, 404],
    ['manage', keys, 200],
  ] as const)('%s, used for %o, is answered %i', async (scope, { method, path, body }, status) => {
    const { key } = await makeKey([scope]);
    const answer = await api.request(method, path, body, as(key));
    expect(answer.status).toBe(status);
    if (status !== 403) return;
    expect(answer.body.code).toBe('forbidden');
    const needed = { '/v1/records': 'ingest', '/v1/targets': method === 'GET' ? 'read' : 'manage' };
    const name = needed[path as keyof typeof needed] ?? 'manage';
    expect(answer.body.detail).toContain(`requires the scope ${name};`);
    expect(answer.headers.get('www-authenticate')).toContain(`scope="${name}"`);
  });

  test('to read is enough for HEAD, but not for routes that accept only POST', async () => {
    const { key } = await makeKey(['read']);
    const head = (path: string) => api.app.request(path, { method: 'HEAD', headers: as(key) });
    expect((await head('/v1/targets')).status).toBe(200);
    expect((await head('/v1/api-keys')).status).toBe(403);
    expect((await head('/v1/session/links')).status).toBe(405);
  });

  test('of a key does not hide that a path or a method does not exist: 404 and 405', async () => {
    const { key } = await makeKey(['ingest']);
    expect((await get(key, '/v1/nothing')).status).toBe(404);
    expect((await api.request('PUT', '/v1/targets', {}, as(key))).status).toBe(405);
  });

  test('is declared by every route of the document, and enforced by it', async () => {
    const document = await api.request('GET', '/v1/openapi.json');
    const paths = document.body.paths as Record<string, Record<string, { security?: unknown }>>;
    const open: string[] = [];
    let tried = 0;
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, { security }] of Object.entries(methods)) {
        const name = `${method.toUpperCase()} ${path}`;
        if (!path.startsWith('/v1/')) continue;
        if (Array.isArray(security) && security.length === 0) {
          open.push(name);
          continue;
        }
        const [first] = (security ?? []) as { bearer: Scope[] }[];
        expect([name, security]).toEqual([
          name,
          [{ bearer: first?.bearer }, { session: first?.bearer }],
        ]);
        const needed = first?.bearer[0];
        if (needed === undefined) {
          expect(path).toBe('/v1/session');
          continue;
        }
        tried++;
        const wrong = Scope.options.find(
          (one) => one !== needed && !(needed === 'read' && one === 'manage'),
        )!;
        const { key } = await makeKey([wrong]);
        const at = path.replaceAll(/\{\w+\}/gu, unknown);
        const answer = await api.request(method.toUpperCase(), at, undefined, as(key));
        expect([name, answer.status]).toEqual([name, 403]);
      }
    }
    expect(open).toEqual(['POST /v1/session']);
    expect(tried).toBeGreaterThan(30);
  });

  test('that a route does not declare keeps the API from starting', () => {
    const app = createRoutes();
    app.get('/v1/secrets', (c) => c.text('all of them'));
    expect(() => needsOf(app)).toThrow('GET /v1/secrets declares no scope');
  });
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { KEY, openApp, openOwnApp, type Answer, type OwnApp } from '../support/app.ts';
let api: OwnApp;

beforeAll(async () => {
  api = await openOwnApp();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const target = { name: 't', base_url: 'https://example.com' };
let numbered = 0;
const newKey = (): string => `key-${++numbered}`;

function create(
  key: string,
  body: unknown = target,
  headers: Record<string, string> = {},
  path = '/v1/targets',
): Promise<Answer> {
  return api.request('POST', path, body, { 'idempotency-key': key, ...headers });
}

async function asKey(scopes: string[]): Promise<{ id: string; authorization: string }> {
  const { body } = await api.request('POST', '/v1/api-keys', { name: 'k', scopes });
  return { id: body.id, authorization: `Bearer ${body.key}` };
}

async function countTargets(): Promise<number> {
  const { rows } = await api.db.query<{ count: number }>('select count(*) from targets');
  return rows[0]!.count;
}

describe('the same POST with the same Idempotency-Key', () => {
  test('is carried out once, and answered as the first time, secrets included', async () => {
    const key = newKey();
    const before = await countTargets();
    const first = await create(key);
    expect(first.status).toBe(201);
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    const again = await create(key);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect([again.status, again.body]).toEqual([201, first.body]);
    for (const name of ['location', 'content-type', 'cache-control']) {
      expect(again.headers.get(name)).toBe(first.headers.get(name));
    }
    expect(await countTargets()).toBe(before + 1);
  });

  test('is answered as the first time when it was refused', async () => {
    const key = newKey();
    const first = await create(key, { name: 't' });
    const again = await create(key, { name: 't' });
    expect([first.status, again.status]).toEqual([422, 422]);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('content-type')).toBe('application/problem+json');
    expect(again.headers.get('idempotency-replayed')).toBe('true');
  });

  test('sent many times at once is carried out once; the other requests are told that it is running', async () => {
    const key = newKey();
    const before = await countTargets();
    const answers = await Promise.all(Array.from({ length: 10 }, () => create(key)));
    expect(await countTargets()).toBe(before + 1);
    for (const { status, body } of answers) {
      if (status === 409) expect(body.code).toBe('idempotency_running');
      else expect(status).toBe(201);
    }
    expect((await create(key)).status).toBe(201);
  });

  test('without the header is carried out each time', async () => {
    const before = await countTargets();
    await api.request('POST', '/v1/targets', target);
    await api.request('POST', '/v1/targets', target);
    expect(await countTargets()).toBe(before + 2);
  });
});

describe('an Idempotency-Key', () => {
  test('of another request, body, path or query is 422 idempotency_mismatch', async () => {
    const key = newKey();
    const { body } = await create(key);
    for (const [path, other] of [
      ['/v1/targets', { ...target, name: 'other' }],
      ['/v1/targets/test', target],
      ['/v1/targets?x=1', target],
      [`/v1/targets/${body.id}/test`, undefined],
    ] as const) {
      const answer = await create(key, other, {}, path);
      expect([path, answer.status, answer.body.code]).toEqual([path, 422, 'idempotency_mismatch']);
      expect(JSON.stringify(answer.body)).not.toContain('whsec_');
    }
  });

  test('does not matter for a method that a path does not support: it is 405, as without the header', async () => {
    const headers = { 'idempotency-key': newKey() };
    await api.request('POST', '/v1/targets', target, headers);
    const answer = await api.request('PATCH', '/v1/targets/test', {}, headers);
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
  });

  test('may be used again after a failure of the server: 503 is not stored', async () => {
    const key = newKey();
    const made = await create(newKey());
    const consumer = await api.request('POST', '/v1/consumers', {
      name: 'c',
      target_id: made.body.id,
      stream: 'events',
    });
    const path = `/v1/consumers/${consumer.body.id}/pause`;
    for (let turn = 0; turn < 2; turn++) {
      const answer = await create(key, undefined, {}, path); // Temporal is away
      expect([answer.status, answer.headers.get('idempotency-replayed')]).toEqual([503, null]);
    }
    expect((await create(key)).status).toBe(201); // not even to that request
  });

  test('is ignored by ingest and reads', async () => {
    const key = newKey();
    const event = { sync_id: 's', collection_id: 'a:b', upstream_id: 'u', event: 'created' };
    const body = { events: [{ ...event, data: 1 }] };
    const first = await create(key, body, {}, '/v1/events');
    const second = await create(key, body, {}, '/v1/events');
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.body.position).toBe(first.body.position + 1);
    const headers = { 'idempotency-key': key };
    for (const path of ['/v1/targets', '/v1/events', '/v1/info']) {
      expect((await api.request('GET', path, undefined, headers)).status).toBe(200);
    }
    expect((await create(key)).status).toBe(201);
  });

  test.each<[method: string, path: string, body: object | undefined, other: object | undefined]>([
    ['PATCH', '/v1/targets/{target}', { name: 'first' }, { name: 'second' }],
    ['DELETE', '/v1/targets/{target}', undefined, undefined],
    ['DELETE', '/v1/api-keys/{key}', undefined, undefined],
    ['PUT', '/v1/syncs/a', { name: 'first' }, { name: 'second' }],
    ['POST', '/v1/targets', target, { ...target, name: 'second' }],
  ])(
    'of a %s %s answers this request again, and any other change with 422 idempotency_mismatch',
    async (method, path, body, other) => {
      const headers = { 'idempotency-key': newKey() };
      const made = await api.request('POST', '/v1/targets', target);
      const spare = await api.request('POST', '/v1/targets', { ...target, name: 'spare' });
      const { id } = await asKey(['read']);
      const at = path.replace('{target}', made.body.id).replace('{key}', id);
      const first = await api.request(method, at, body, headers);
      expect(first.status).toBeLessThan(300);
      const again = await api.request(method, at, body, headers);
      expect([again.status, again.body]).toEqual([first.status, first.body]);
      expect(again.headers.get('idempotency-replayed')).toBe('true');
      const others: [string, string, object | undefined][] = [
        ['PATCH', `/v1/targets/${spare.body.id}`, { name: 'by another' }],
        ['DELETE', `/v1/targets/${spare.body.id}`, undefined],
        ['PUT', '/v1/syncs/b', { name: 'by another' }],
        ['POST', `/v1/targets/${spare.body.id}/rotate-secret`, {}],
        ...(other === undefined ? [] : [[method, at, other] as [string, string, object]]),
      ];
      for (const [verb, where, what] of others) {
        const { status, body: problem } = await api.request(verb, where, what, headers);
        expect([where, status, problem.code]).toEqual([where, 422, 'idempotency_mismatch']);
      }
      const { body: kept } = await api.request('GET', `/v1/targets/${spare.body.id}`);
      expect(kept).toMatchObject({ name: 'spare', updated_at: spare.body.updated_at });
    },
  );

  test('is stored with a sealed answer, which cannot be opened in another row', async () => {
    const [one, two] = [newKey(), newKey()];
    const first = await create(one);
    await create(two, { ...target, name: 'two' });
    const { rows } = await api.db.query<{ answer: string }>({
      text: 'select answer from idempotency_keys where key = $1',
      values: [one],
    });
    expect(rows[0]!.answer).not.toContain(first.body.signing_secret);
    expect(rows[0]!.answer).toMatch(/^v1\.test\./u);
    await api.db.query({
      text: `update idempotency_keys set answer = $1 where key = $2`,
      values: [rows[0]!.answer, two],
    });
    expect((await create(two, { ...target, name: 'two' })).status).toBe(409);
  });

  test('of a process that died is taken over after 60 s, by the same request alone', async () => {
    const key = newKey();
    const first = await create(key);
    const before = await countTargets();
    const leave = (age: string) =>
      api.db.query({
        text: `
          update idempotency_keys
             set state = 'running', answer = null, taken_at = now() - $2::interval where key = $1`,
        values: [key, age],
      });
    await leave('50 seconds');
    expect((await create(key)).body.code).toBe('idempotency_running');
    await leave('61 seconds');
    expect((await create(key, { ...target, name: 'x' })).body.code).toBe('idempotency_mismatch');
    const again = await create(key);
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, null]);
    expect(again.body).toEqual({ ...first.body, health: again.body.health });
    expect(await countTargets()).toBe(before);
  });

  test('that was taken over is not overwritten by the first, slow run', async () => {
    const { idempotency } = api.access;
    const request = {
      caller: 'bootstrap',
      key: newKey(),
      method: 'POST',
      path: '/v1/targets',
      request: Buffer.alloc(32, 1),
    };
    const slow = await idempotency.begin(request);
    await api.db.query(`update idempotency_keys set taken_at = now() - interval '2 minutes'`);
    const next = await idempotency.begin(request);
    if (slow.kind !== 'run' || next.kind !== 'run') throw new Error('neither runs');
    await idempotency.finish(request, slow.run, { status: 201, headers: {}, body: 'slow' });
    await idempotency.release(request, slow.run);
    expect((await idempotency.begin(request)).kind).toBe('running');
    await idempotency.finish(request, next.run, { status: 201, headers: {}, body: 'next' });
    expect(await idempotency.begin(request)).toMatchObject({ answer: { body: 'next' } });
  });

  test('may be used again after 24 hours, and is then removed', async () => {
    const key = newKey();
    const first = await create(key);
    const { rows } = await api.db.query<{ hours: number }>({
      text: `
        select extract(epoch from expires_at - created_at)::int / 3600 as hours
          from idempotency_keys where key = $1`,
      values: [key],
    });
    expect(rows[0]!.hours).toBe(24);
    await api.db.query(`update idempotency_keys set expires_at = now()`);
    const anew = await create(key, { ...target, name: 'anew' });
    expect([anew.status, anew.headers.get('idempotency-replayed')]).toEqual([201, null]);
    expect(anew.body.id).not.toBe(first.body.id);
    await api.db.query(`update idempotency_keys set expires_at = now()`);
    await api.access.idempotency.clean();
    expect((await api.db.query('select 1 from idempotency_keys')).rows).toEqual([]);
  });

  test('for a path that does not exist is not kept', async () => {
    const { authorization } = await asKey(['ingest']);
    const key = newKey();
    for (const [method, path, status] of [
      ['POST', '/v1/nothing', 404],
      ['POST', '/v1/targets', 403],
      ['POST', '/v1/info', 405],
    ] as const) {
      const headers = { authorization, 'idempotency-key': key };
      expect((await api.request(method, path, target, headers)).status).toBe(status);
    }
    const { rows } = await api.db.query({
      text: 'select 1 from idempotency_keys where key = $1',
      values: [key],
    });
    expect(rows).toEqual([]);
  });

  test('that is malformed is 400', async () => {
    for (const key of ['x'.repeat(256), 'a b', 'é']) {
      const { status, body } = await create(key);
      expect([status, body.code]).toEqual([400, 'invalid_header']);
    }
  });
});

describe('the stored answer of another API key', () => {
  test('is not given to a key with the same scopes: its request counts as another one', async () => {
    const key = newKey();
    const first = await create(key);
    const { authorization } = await asKey(['manage']);
    const other = await create(key, target, { authorization });
    expect([other.status, other.headers.get('idempotency-replayed')]).toEqual([201, null]);
    expect(other.body.id).not.toBe(first.body.id);
    expect(other.body.signing_secret).not.toBe(first.body.signing_secret);
    expect((await create(key)).body).toEqual(first.body);
    expect((await create(key, target, { authorization })).body).toEqual(other.body);
    const different = await create(key, { ...target, name: 'x' }, { authorization });
    expect(different.body.code).toBe('idempotency_mismatch'); // with its own, not with the first
  });

  test('is 403 for a key without the scope, and 401 for no key or a revoked one', async () => {
    const key = newKey();
    const owner = await asKey(['manage']);
    const { authorization } = owner;
    const first = await create(key, target, { authorization });
    expect(first.status).toBe(201);
    const reader = await create(key, target, await asKey(['read']));
    expect([reader.status, reader.body.code]).toEqual([403, 'forbidden']);
    const nobody = await create(key, target, { authorization: `Bearer mk_${'A'.repeat(43)}` });
    expect([nobody.status, nobody.body.code]).toEqual([401, 'unauthorized']);
    await api.request('DELETE', `/v1/api-keys/${owner.id}`);
    const revoked = await create(key, target, { authorization });
    expect([revoked.status, revoked.body.code]).toEqual([401, 'key_revoked']);
    for (const { body } of [reader, nobody, revoked]) {
      expect(JSON.stringify(body)).not.toContain(first.body.id);
    }
  });

  test('does not stand in for a command: each key gives it under an id of its own', async () => {
    const asked: string[] = [];
    await using own = openApp(api.databaseUrl, {
      commands: {
        give: async (_id, { editId }) => {
          asked.push(editId);
          return { ok: true, version: 1 };
        },
      },
    });
    const made = await own.request('POST', '/v1/targets', target);
    const consumer = await own.request('POST', '/v1/consumers', {
      name: 'c',
      target_id: made.body.id,
      stream: 'events',
    });
    const other = await asKey(['manage']);
    const path = `/v1/consumers/${consumer.body.id}/pause`;
    const headers = { 'idempotency-key': 'same' };
    await own.request('POST', path, undefined, headers);
    await own.request('POST', path, undefined, headers); // replayed, not asked again
    await own.request('POST', path, undefined, { ...headers, authorization: other.authorization });
    expect(asked).toEqual([
      expect.stringMatching(/^pause:bootstrap:same:[\da-f-]{36}$/u),
      expect.stringMatching(new RegExp(`^pause:${other.id}:same:[\\da-f-]{36}$`, 'u')),
    ]);
  });
});

test('a session shares the stored answers of its key', async () => {
  const key = newKey();
  const first = await create(key);
  const login = await api.app.request('/v1/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ api_key: KEY }),
  });
  const cookie = login.headers.get('set-cookie')!.split(';')[0]!;
  const again = await api.app.request('/v1/targets', {
    method: 'POST',
    headers: {
      cookie,
      'content-type': 'application/json',
      'sec-fetch-site': 'same-origin',
      'idempotency-key': key,
    },
    body: JSON.stringify(target),
  });
  expect(await again.json()).toEqual(first.body);
});

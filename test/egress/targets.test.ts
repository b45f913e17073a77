import { afterAll, beforeAll, expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import { openTarget } from '../../src/targets/openTarget.ts';
import { openOwnApp, type OwnApp } from '../support/app.ts';
let api: OwnApp;

beforeAll(async () => {
  api = await openOwnApp();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const PASSWORD = 'correct horse battery staple';
const basic = { type: 'basic', username: 'ann', password: PASSWORD };

async function create(fields: object = {}): Promise<{ id: string; signing_secret: string }> {
  const { status, body } = await api.request('POST', '/v1/targets', {
    name: 'one',
    base_url: 'https://example.com/hooks',
    ...fields,
  });
  expect(status).toBe(201);
  return body;
}

test('creating a target answers with every default, and shows the whole signing secret once', async () => {
  const { status, headers, body } = await api.request('POST', '/v1/targets', {
    name: 'one',
    base_url: 'https://example.com/hooks?a=1',
  });
  expect(status).toBe(201);
  expect(headers.get('location')).toBe(`/v1/targets/${body.id}`);
  expect(headers.get('cache-control')).toBe('no-store');
  expect(body).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/u),
    name: 'one',
    kind: 'webhook',
    base_url: 'https://example.com/hooks?a=1',
    credentials: { type: 'none' },
    headers: {},
    ca: null,
    client_certificate: null,
    signing_secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/u),
    idn_hosts: [],
    timeout_ms: 15_000,
    max_in_flight: 64,
    rate_limit: null,
    unreadable: [],
    health: { status: 'ok', notes: [], time: expect.any(String) },
    tried: false,
    consumers: {
      active: 0,
      paused: 0,
      blocked: 0,
      stopped: 0,
      cannot_start: { active: 0, blocked: 0 },
    },
    metadata: {},
    created_at: expect.stringMatching(/Z$/u),
    updated_at: body.created_at,
  });
  const read = await api.request('GET', `/v1/targets/${body.id}`);
  expect(read.body).toEqual({
    ...body,
    signing_secret: `••••${body.signing_secret.slice(-4)}`,
    health: expect.any(Object),
  });
});

test('a signing secret that the caller sends is kept as it is; one that is not in the form of Standard Webhooks is refused', async () => {
  for (const bytes of [24, 32, 63, 64]) {
    const secret = `whsec_${Buffer.alloc(bytes, 0xfb).toString('base64')}`;
    const { id, signing_secret } = await create({ signing_secret: secret });
    expect(signing_secret).toBe(secret);
    const { body } = await api.request('GET', `/v1/targets/${id}`);
    expect(body.signing_secret).toBe(`••••${secret.slice(-4)}`);
  }
  const of = (bytes: number): string => `whsec_${Buffer.alloc(bytes).toString('base64')}`;
  for (const other of [of(23), of(65), of(32).slice(6), `${of(32)}=`, '••••AAA=', 'whsec_', null]) {
    const fields = { name: 'one', base_url: 'https://example.com/', signing_secret: other };
    const { status, body } = await api.request('POST', '/v1/targets', fields);
    expect([status, body.errors?.[0]?.pointer], String(other)).toEqual([422, '/signing_secret']);
  }
});

test.each([
  [basic, { password: '••••aple' }, { authorization: `Basic ${btoa(`ann:${PASSWORD}`)}` }],
  [
    { type: 'bearer', token: 'token-0123456789' },
    { token: '••••6789' },
    { authorization: 'Bearer token-0123456789' },
  ],
  [
    { type: 'header', name: 'X-Api-Key', value: 'key-0123456789' },
    { value: '••••6789' },
    { 'X-Api-Key': 'key-0123456789' },
  ],
])(
  'credentials come back masked, are sealed at rest and opened for sending: %o',
  async (credentials, masked, headers) => {
    const { id, signing_secret } = await create({ credentials, headers: { 'X-Team': 'blue' } });
    const secret = String(Object.values(credentials).at(-1));
    for (const answer of [
      await api.request('GET', `/v1/targets/${id}`),
      await api.request('GET', '/v1/targets'),
    ]) {
      expect(JSON.stringify(answer.body)).not.toContain(secret);
      const found = answer.body.data?.find((one: { id: string }) => one.id === id) ?? answer.body;
      expect(found.credentials).toEqual({ ...credentials, ...masked });
    }
    const { rows } = await api.db.query<{ row: string }>('select t::text as row from targets t');
    for (const { row } of rows) {
      expect(row).not.toContain(secret);
      expect(row).not.toContain(signing_secret.slice(6));
    }
    expect(await openTarget(api.db, api.vault, id)).toEqual({
      id,
      version: 1,
      baseUrl: 'https://example.com/hooks',
      headers: { 'X-Team': 'blue', ...headers },
      hidden: [secret, ...('username' in credentials ? [btoa(`ann:${PASSWORD}`)] : [])],
      oauth: null,
      ca: null,
      clientCertificate: null,
      secrets: [signing_secret],
      previousUntil: null,
      timeoutMs: 15_000,
      maxInFlight: 64,
      rateLimit: null,
    });
  },
);

test.each([
  [basic, 'password'],
  [{ type: 'bearer', token: 'token-0123456789' }, 'token'],
  [{ type: 'header', name: 'X-Api-Key', value: 'key-0123456789' }, 'value'],
  [
    {
      type: 'oauth2',
      token_url: 'https://example.com/token',
      client_id: 'id',
      client_secret: 'client-0123456789',
    },
    'client_secret',
  ],
])(
  'a stored secret is not moved to another origin unless the request has all of it: %o',
  async (credentials, field) => {
    const { id } = await create({ credentials });
    const masks = (await api.request('GET', `/v1/targets/${id}`)).body.credentials;
    const patch = (body: object) => api.request('PATCH', `/v1/targets/${id}`, body);
    for (const base_url of [
      'https://evil.example/',
      'http://example.com/',
      'https://example.com:444/',
    ]) {
      for (const body of [{ base_url }, { base_url, credentials: masks }]) {
        const { status, body: refused } = await patch(body);
        expect([status, refused.errors?.[0].pointer]).toEqual([422, `/credentials/${field}`]);
      }
    }
    expect((await patch({ base_url: 'https://example.com/other?b=2' })).status).toBe(200);
    expect((await patch({ base_url: 'https://new.example/', credentials })).status).toBe(200);
    const none = { base_url: 'https://third.example/', credentials: { type: 'none' } };
    expect((await patch(none)).status).toBe(200);
    expect((await patch({ base_url: 'https://fourth.example/' })).status).toBe(200);
  },
);

test('a change replaces the given fields, counts a version and notifies running senders', async () => {
  const { id } = await create({ metadata: { a: 1 }, rate_limit: 5 });
  const patch = { name: 'two', headers: { 'X-Team': 'red' }, metadata: { b: 2 }, rate_limit: null };
  const hinted = Promise.withResolvers<string | undefined>();
  await api.db.transaction(async (tx) => {
    // One connection listens while another changes.
    const listener = tx as unknown as {
      on(name: string, hear: (m: { payload?: string }) => void): void;
    };
    listener.on('notification', ({ payload }) => hinted.resolve(payload));
    await tx.query('listen millrace_consumers');
  });
  const { status, body } = await api.request('PATCH', `/v1/targets/${id}`, patch);
  expect(status).toBe(200);
  expect(body).toMatchObject({ ...patch, base_url: 'https://example.com/hooks' });
  expect(body.updated_at > body.created_at).toBe(true);
  expect(await hinted.promise).toBe('');
  expect(await openTarget(api.db, api.vault, id)).toMatchObject({ version: 2, rateLimit: null });
});

test('a masked secret sent back keeps the stored one', async () => {
  const { id, signing_secret } = await create({ credentials: basic });
  const { body: read } = await api.request('GET', `/v1/targets/${id}`);
  const { status } = await api.request('PATCH', `/v1/targets/${id}`, {
    name: 'renamed',
    credentials: { ...read.credentials, username: 'bob' },
    signing_secret: read.signing_secret,
  });
  expect(status).toBe(200);
  const opened = await openTarget(api.db, api.vault, id);
  expect(opened?.headers).toEqual({ authorization: `Basic ${btoa(`bob:${PASSWORD}`)}` });
  expect(opened?.secrets).toEqual([signing_secret]);
});

test('a new secret replaces the stored one', async () => {
  const { id } = await create({ credentials: basic });
  const bearer = { type: 'bearer', token: 'fresh-token-0001' };
  const { body } = await api.request('PATCH', `/v1/targets/${id}`, { credentials: bearer });
  expect(body.credentials).toEqual({ type: 'bearer', token: '••••0001' });
  const opened = await openTarget(api.db, api.vault, id);
  expect(opened?.headers).toEqual({ authorization: 'Bearer fresh-token-0001' });
});

test('a mask of anything but the stored secret is refused and changes nothing', async () => {
  const { id } = await create({ credentials: basic });
  for (const [credentials, pointer] of [
    [{ type: 'bearer', token: '••••aple' }, '/credentials/token'],
    [{ ...basic, password: '••••elpa' }, '/credentials/password'],
  ] as const) {
    const { status, body } = await api.request('PATCH', `/v1/targets/${id}`, {
      name: 'changed',
      credentials,
    });
    expect([status, body.errors[0].pointer]).toEqual([422, pointer]);
  }
  const other = await api.request('PATCH', `/v1/targets/${id}`, { signing_secret: 'whsec_AAAA' });
  expect([other.status, other.body.errors[0].pointer]).toEqual([422, '/signing_secret']);
  expect((await api.request('GET', `/v1/targets/${id}`)).body.name).toBe('one');
  expect(await openTarget(api.db, api.vault, id)).toMatchObject({ version: 1 });
});

test('headers that the sender, HTTP or the credentials set are refused by name', async () => {
  const bearer = { type: 'bearer', token: 'token-0123456789' };
  for (const [fields, pointer] of [
    ...['Host', 'Content-Length', 'content-type', 'Connection', 'Transfer-Encoding', 'User-Agent']
      .concat([
        'webhook-id',
        'Webhook-Signature',
        'millrace-attempt',
        'Keep-Alive',
        'Upgrade',
        'TE',
      ])
      .map((name) => [{ headers: { [name]: 'x' } }, `/headers/${name}`] as const),
    [{ headers: { Authorization: 'x' }, credentials: bearer }, '/headers/Authorization'],
    [{ headers: { 'X-A': '1', 'x-a': '2' } }, '/headers/x-a'],
    [{ credentials: { type: 'header', name: 'Host', value: 'x' } }, '/credentials/name'],
  ] as const) {
    const target = { name: 'one', base_url: 'https://example.com', ...fields };
    const { status, body } = await api.request('POST', '/v1/targets', target);
    expect([pointer, status, body.errors?.[0].pointer]).toEqual([pointer, 422, pointer]);
  }
  const { id } = await create({ headers: { Authorization: 'by hand' } });
  const { status } = await api.request('PATCH', `/v1/targets/${id}`, { credentials: bearer });
  expect(status).toBe(422);
});

test("only an http or https URL without credentials or fragment can be a target's", async () => {
  for (const base_url of [
    'example.com',
    'ftp://a.b',
    'http://u:p@a.b',
    'http://a.b/#x',
    'http://a.b:0/',
    'https://a.b:00/x',
    'http://',
  ]) {
    const { status, body } = await api.request('POST', '/v1/targets', { name: 'one', base_url });
    expect([base_url, status, body.errors[0].pointer]).toEqual([base_url, 422, '/base_url']);
  }
});

test('metadata comes back as it was sent', async () => {
  const metadata = { z: 1, b: ['ü 𝄞', { 'a/b': null }], a: {} };
  const { id } = await create({ metadata });
  const { body } = await api.request('GET', `/v1/targets/${id}`);
  expect(JSON.stringify(body.metadata)).toBe(JSON.stringify(metadata));
});

test('a list is newest first, and its cursor passes every target once', async () => {
  const made = [];
  for (let index = 0; index < 5; index += 1) made.unshift((await create()).id);
  const seen: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const { status, body } = await api.request('GET', `/v1/targets?limit=2${query}`);
    expect(status).toBe(200);
    seen.push(...body.data.map((one: { id: string }) => one.id));
    cursor = body.next_cursor;
  }
  expect(seen.slice(0, 5)).toEqual(made);
  expect(new Set(seen).size).toBe(seen.length);
  const { rows } = await api.db.query<{ count: number }>('select count(*) as count from targets');
  expect(seen).toHaveLength(rows[0]!.count);
});

test('a list is searched for a part of the name, the base URL or the id, in any case', async () => {
  const accra = await create({ name: 'Warehouse Accra', base_url: 'https://one.example/a_b' });
  const tema = await create({ name: '50% of Tema', base_url: 'https://two.example/axb' });
  const found = async (q: string, more = ''): Promise<string[]> => {
    const query = `q=${encodeURIComponent(q)}${more}`;
    const { status, body } = await api.request('GET', `/v1/targets?${query}`);
    expect(status).toBe(200);
    return body.data.map((one: { id: string }) => one.id);
  };
  expect(await found('house acc')).toEqual([accra.id]);
  expect(await found('ONE.example')).toEqual([accra.id]);
  expect(await found(accra.id.slice(3, 30).toUpperCase())).toEqual([accra.id]);
  expect(await found('0% of')).toEqual([tema.id]);
  expect(await found('a_b')).toEqual([accra.id]); // not a pattern
  expect(await found('no target has this')).toEqual([]);
  expect(await found('.example/a')).toEqual([tema.id, accra.id]);
  const { body } = await api.request('GET', '/v1/targets?q=.example/a&limit=1');
  expect(body.data.map((one: { id: string }) => one.id)).toEqual([tema.id]);
  expect(await found('.example/a', `&cursor=${body.next_cursor}`)).toEqual([accra.id]);
  for (const nothing of ['', '%00']) {
    expect((await api.request('GET', `/v1/targets?q=${nothing}`)).status).toBe(400);
  }
});

test('a target in use cannot be deleted, and the refusal names its consumers', async () => {
  const { id } = await create();
  const consumer = { name: 'orders', target_id: id, stream: 'events' };
  const { body: made } = await api.request('POST', '/v1/consumers', consumer);
  const refused = await api.request('DELETE', `/v1/targets/${id}`);
  expect([refused.status, refused.body.code]).toEqual([409, 'target_in_use']);
  expect(refused.body.consumers).toEqual([{ id: made.id, name: 'orders' }]);
  expect(refused.body.detail).toContain(`orders (${made.id})`);
  // What its workflow does when it is deleted.
  await api.db.query({
    text: 'update consumers set deleted_at = now() where id = $1',
    values: [made.id],
  });
  expect((await api.request('DELETE', `/v1/targets/${id}`)).status).toBe(204);
  expect((await api.request('GET', `/v1/targets/${id}`)).status).toBe(404);
});

test('health reports consumers of the target that are blocked or stopped', async () => {
  const { id } = await create();
  const consumer = { name: 'orders', target_id: id, stream: 'events' };
  const { body: made } = await api.request('POST', '/v1/consumers', consumer);
  for (const [state, health] of [
    ['blocked', { status: 'warn', notes: ['1 of its consumers is blocked'] }],
    ['stopped', { status: 'error', notes: ['1 of its consumers is stopped'] }],
    ['active', { status: 'ok', notes: [] }],
  ] as const) {
    await api.db.query({
      text: 'update consumers set status = $2 where id = $1',
      values: [made.id, state],
    });
    expect((await api.request('GET', `/v1/targets/${id}`)).body.health).toMatchObject(health);
  }
});

test('opening a target that does not exist returns null', async () => {
  expect(await openTarget(api.db, api.vault, newId())).toBeNull();
});

test.each([
  ['https://münchen.example/hook', 'xn--mnchen-3ya.example', 'münchen.example'],
  ['https://xn--mnchen-3ya.example/hook', 'xn--mnchen-3ya.example', 'münchen.example'],
  ['https://\u0430pple.example/', 'xn--pple-43d.example', '\u0430pple.example'], // a Cyrillic a
])('an internationalised host is shown in both forms: %s', async (base_url, ascii, unicode) => {
  const credentials = {
    type: 'oauth2',
    token_url: base_url,
    client_id: 'me',
    client_secret: 'a-secret-0123456789',
  };
  const made = await create({ base_url, credentials });
  const { body } = await api.request('GET', `/v1/targets/${made.id}`);
  expect(body.base_url).toBe(base_url);
  expect(body.idn_hosts).toEqual([
    { pointer: '/base_url', ascii, unicode },
    { pointer: '/credentials/token_url', ascii, unicode },
  ]);
});

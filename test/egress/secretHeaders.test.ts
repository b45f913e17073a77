import { afterAll, beforeAll, expect, test } from 'vitest';

import { isSecretHeader } from '../../src/schema/secretHeader.ts';
import { openTarget } from '../../src/targets/openTarget.ts';
import { sealClearHeaders } from '../../src/targets/sealClearHeaders.ts';
import { openOwnApp, type Answer, type OwnApp } from '../support/app.ts';

let api: OwnApp;

beforeAll(async () => {
  api = await openOwnApp();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const VALUE = 'Bearer planted-0123456789';
const MASK = '••••6789';
const HEADERS = { 'X-Team': 'blue', Authorization: VALUE, 'x-api-key': 'short' };
const SHOWN = { 'X-Team': 'blue', Authorization: MASK, 'x-api-key': '••••' };

async function create(headers: object = HEADERS): Promise<Answer['body']> {
  const input = { name: 'one', base_url: 'https://example.com/hooks', headers };
  const { status, body } = await api.request('POST', '/v1/targets', input);
  expect(status).toBe(201);
  return body;
}

const patch = (id: string, body: object): Promise<Answer> =>
  api.request('PATCH', `/v1/targets/${id}`, body);

/** What a sender would send, by lower-case names. */
async function sent(id: string): Promise<object> {
  const { headers = {} } = (await openTarget(api.db, api.vault, id)) ?? {};
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}

const SENT = { 'x-team': 'blue', authorization: VALUE, 'x-api-key': 'short' };

test('headers that carry credentials are sealed at rest, masked in every answer, and sent in full', async () => {
  const made = await create();
  expect(made.headers).toEqual(SHOWN);
  const read = await api.request('GET', `/v1/targets/${made.id}`);
  expect(read.body.headers).toEqual(SHOWN);
  const { body: list } = await api.request('GET', '/v1/targets');
  expect(list.data[0].headers).toEqual(SHOWN);
  expect((await patch(made.id, { name: 'two' })).body.headers).toEqual(SHOWN);
  expect(await sent(made.id)).toEqual(SENT);
  const { rows } = await api.db.query({
    text: 'select t::text as text from targets t where id = $1',
    values: [made.id],
  });
  expect(JSON.stringify(rows)).not.toContain('planted');
  expect(JSON.stringify(rows)).toContain('blue');
});

test('a masked value that is sent back keeps the stored one, whatever the case of its name; a header that is left out is removed', async () => {
  const { id } = await create();
  const back = { 'X-Team': 'red', authorization: MASK, 'x-api-key': '••••' };
  expect((await patch(id, { headers: back })).status).toBe(200);
  expect(await sent(id)).toEqual({ ...SENT, 'x-team': 'red' });
  const whole = await patch(id, { headers: { authorization: 'Bearer another-0123' } });
  expect(whole.body.headers).toEqual({ authorization: '••••0123' });
  expect(await sent(id)).toEqual({ authorization: 'Bearer another-0123' });
});

test.each([
  [{ Authorization: '••••0000' }, '/headers/Authorization'],
  [{ 'X-Team': '••••' }, '/headers/X-Team'],
  [{ cookie: MASK }, '/headers/cookie'],
])('the mask of anything else is refused: %o', async (headers, pointer) => {
  const { id } = await create();
  const { status, body } = await patch(id, { headers });
  expect([status, body.errors[0].pointer]).toEqual([422, pointer]);
  expect(await sent(id)).toEqual(SENT);
  const made = await api.request('POST', '/v1/targets', {
    name: 'one',
    base_url: 'https://example.com',
    headers,
  });
  expect(made.status).toBe(422);
});

test('a stored secret header is not moved to another origin unless the request has all of its value', async () => {
  const { id } = await create();
  for (const base_url of [
    'https://evil.example/',
    'http://example.com/',
    'https://example.com:444/',
  ]) {
    for (const body of [{ base_url }, { base_url, headers: SHOWN }]) {
      const refused = await patch(id, body);
      expect([refused.status, refused.body.errors[0].pointer]).toEqual([
        422,
        '/headers/Authorization',
      ]);
    }
  }
  expect((await patch(id, { base_url: 'https://example.com/other' })).status).toBe(200);
  expect((await patch(id, { base_url: 'https://new.example/', headers: HEADERS })).status).toBe(
    200,
  );
  expect((await patch(id, { base_url: 'https://third.example/', headers: {} })).status).toBe(200);
  expect((await patch(id, { base_url: 'https://fourth.example/' })).status).toBe(200);
});

test('a secret header, and its token alone, is hidden in the answer of the endpoint', async () => {
  const { id } = await create();
  const { hidden = [] } = (await openTarget(api.db, api.vault, id)) ?? {};
  expect(hidden).toEqual([VALUE, 'planted-0123456789', 'short']);
});

/** As it was saved before such headers were sealed. */
async function createClear(): Promise<string> {
  const { id } = await create({});
  await api.db.query({
    text: 'update targets set headers = $2 where id = $1',
    values: [id, JSON.stringify(HEADERS)],
  });
  return id;
}

async function stored(id: string): Promise<object> {
  const { rows } = await api.db.query<{ headers: object }>({
    text: 'select headers from targets where id = $1',
    values: [id],
  });
  return rows[0]!.headers;
}

test('a header that was saved in clear is masked and sent as before, and sealed at the next start', async () => {
  const id = await createClear();
  const before = await openTarget(api.db, api.vault, id);
  expect((await api.request('GET', `/v1/targets/${id}`)).body.headers).toEqual(SHOWN);
  expect(await sent(id)).toEqual(SENT);
  const options = { db: api.db, vault: api.vault };
  expect(await sealClearHeaders({ ...options, beside: false })).toBe(1);
  expect(await stored(id)).toEqual({ 'X-Team': 'blue' });
  expect(await openTarget(api.db, api.vault, id)).toEqual(before);
  expect(await sealClearHeaders({ ...options, beside: false })).toBe(0);
});

test('while older workers may run, headers that were saved in clear are sealed 24 hours after the upgrade', async () => {
  const id = await createClear();
  const options = { db: api.db, vault: api.vault, beside: true };
  expect(await sealClearHeaders(options)).toBe(0);
  expect(await stored(id)).toEqual(HEADERS);
  await api.db.query(`
    update schema_migrations set applied_at = now() - interval '25 hours'
     where name like '%secret_headers%'`);
  expect(await sealClearHeaders(options)).toBe(1);
});

test.each([
  ['Authorization', true],
  ['X-Authorization-V2', true],
  ['Cookie', true],
  ['X-API-Key', true],
  ['x-apikey', true],
  ['X-Auth-Token', true],
  ['Private-Token', true],
  ['Ocp-Apim-Subscription-Key', true],
  ['x-shared-secret', true],
  ['X-Auth', true],
  ['X-Team', false],
  ['X-Author', false],
  ['x-keyboard', false],
  ['X-Tokens-Left', false],
  ['accept', false],
  ['constructor', false],
  ['toString', false],
])('whether %s carries credentials: %s', (name, expected) => {
  expect(isSecretHeader(name)).toBe(expected);
});

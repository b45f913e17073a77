import { afterAll, beforeAll, expect, test } from 'vitest';

import { newSeed } from '../../src/db/seed.ts';
import { createDatabaseSockets } from '../../src/egress/databaseSocket.ts';
import { SourceInput } from '../../src/schema/source.ts';
import { createSources } from '../../src/sources/sources.ts';
import { openUrl } from '../../src/sources/sourceUrl.ts';
import { findSource } from '../../src/sources/sourceView.ts';
import { createInspectDatabase } from '../../src/sources/testDatabase.ts';
import { LOOPBACK, openApp, type Answer } from '../support/app.ts';
import {
  createSource,
  openSourceSite,
  postSource,
  type Shop,
  type SourceSite,
} from '../support/sourceSite.ts';

let site: SourceSite;
let shop: Shop;

beforeAll(async () => {
  site = await openSourceSite();
  shop = await site.createShop();
});
afterAll(async () => {
  await shop[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
});

const unknown = '0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11';

/** What a follower stores of a source, which the API only shows. */
async function note(id: string, columns: string): Promise<void> {
  await site.api.db.query({ text: `update sources set ${columns} where id = $1`, values: [id] });
}

async function noteTables(id: string, columns: string): Promise<void> {
  const text = `update source_tables set ${columns} where source_id = $1`;
  await site.api.db.query({ text, values: [id] });
}

const patch = (id: string, body: object): Promise<Answer> =>
  site.api.request('PATCH', `/v1/sources/${id}`, body);

/** The URL of the shop with another password, role, host or database. */
function shopUrl(
  fields: Partial<Pick<URL, 'username' | 'password' | 'host' | 'pathname'>>,
): string {
  return Object.assign(new URL(shop.url), fields).href;
}

test('a source is created from a database and its tables, and nothing is changed in it', async () => {
  const before = await shop.state();
  const { status, headers, body } = await site.api.request('POST', '/v1/sources', {
    name: 'Läden & Co.',
    kind: 'postgres',
    url: shop.url,
    tables: ['public.users', 'public.orders'],
    expect_within: 3600,
  });
  expect(status).toBe(201);
  expect(headers.get('location')).toBe(`/v1/sources/${body.id}`);
  const slot = `millrace_laden_co_${body.id.slice(-12)}`;
  const table = { state: 'waiting', detail: null, rows: 0, changes: 0 };
  expect(body).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/u),
    name: 'Läden & Co.',
    kind: 'postgres',
    url: shop.url.replace(/:[^:@]+@/u, ':••••@'),
    ca: null,
    sync_id: body.id,
    expect_within: 3600,
    slot,
    publication: slot,
    status: 'active',
    status_reason: null,
    status_since: expect.stringMatching(/Z$/u),
    interruption: null,
    lag: null,
    last_lsn: null,
    last_change_at: null,
    problems: 0,
    tables: [
      { table: 'public.orders', collection_id: 'postgres:public.orders', ...table },
      { table: 'public.users', collection_id: 'postgres:public.users', ...table },
    ],
    created_at: expect.stringMatching(/Z$/u),
    updated_at: body.created_at,
  });
  expect((await site.api.request('GET', `/v1/sources/${body.id}`)).body).toEqual(body);
  expect(await shop.state()).toEqual(before);
});

test('followers are told of a source that is created, changed, or to be deleted', async () => {
  const heard: (string | undefined)[] = [];
  await site.api.db.transaction(async (tx) => {
    const listener = tx as unknown as {
      on(name: string, hear: (m: { payload?: string }) => void): void;
    };
    listener.on('notification', ({ payload }) => void heard.push(payload));
    await tx.query('listen millrace_sources');
  });
  const { id } = await createSource(site, { url: shop.url });
  await patch(id, { name: `Told ${id}` });
  for (const verb of ['pause', 'resume', 'snapshot']) {
    await site.api.request('POST', `/v1/sources/${id}/${verb}`);
  }
  await site.api.request('DELETE', `/v1/sources/${id}`);
  await expect.poll(() => heard).toEqual([id, id, id, id, id, id]);
});

test('its password is sealed at rest, and in no answer and no line of the log', async () => {
  const role = 'planted_role';
  const password = 'planted%2Fp%40ssword';
  await shop.session.run(
    `create role ${role} superuser login password 'planted/p@ssword'`,
    `create table mine (id int primary key)`,
  );
  const url = shopUrl({ username: role, password });
  const answers: Answer[] = [await postSource(site, { url, tables: ['public.mine'] })];
  const { id } = answers[0]!.body;
  for (const [method, path, body] of [
    ['GET', `/v1/sources/${id}`],
    ['GET', '/v1/sources'],
    ['PATCH', `/v1/sources/${id}`, { url, ca: null, tables: ['public.mine', 'public.users'] }],
    ['PATCH', `/v1/sources/${id}`, { url: url.replace(password, `${password}x`) }],
    ['PATCH', `/v1/sources/${id}`, { url: url.replace('127.0.0.1', '10.0.0.1') }],
    ['PATCH', `/v1/sources/${id}`, { url: `${url}?sslmode=verify-full` }],
    ['POST', '/v1/sources', { name: 'x', kind: 'postgres', url: `${url}?x=1`, tables: ['a.b'] }],
    ['POST', '/v1/sources', { name: 'x', kind: 'postgres', url: `${url}#`, tables: ['a.b'] }],
    ['POST', '/v1/sources', { name: 'x', kind: 'postgres', url, tables: ['public.notes'] }],
    ['POST', '/v1/sources/test', { kind: 'postgres', url: url.replace(password, `${password}x`) }],
    ['POST', '/v1/sources/test', { kind: 'postgres', url }],
    ['POST', `/v1/sources/${id}/test`],
    ['GET', '/v1/changes'],
    ['DELETE', `/v1/sources/${id}?forget=true`],
  ] as const) {
    answers.push(await site.api.request(method, path, body));
  }
  const { rows } = await site.api.db.query<{ row: string }>(
    'select s::text as row from sources s union all select c::text from changes c union all select k::text from idempotency_keys k',
  );
  const told = [
    ...answers.map(({ body, headers }) => JSON.stringify([body, [...headers]])),
    ...site.api.logged,
    ...rows.map(({ row }) => row),
  ];
  expect(answers.map(({ status }) => status)).toEqual([
    201, 200, 200, 200, 422, 422, 422, 422, 422, 422, 200, 200, 200, 200, 200,
  ]);
  for (const text of told) expect(text).not.toMatch(/planted.{1,3}p.{1,3}ssword/u);
});

test('the stored URL opens only for its own source', async () => {
  const { id } = await createSource(site, { url: shop.url });
  const row = await findSource(site.api.db, id);
  expect(row && openUrl(row, site.api.vault)).toBe(shop.url);
  expect(row && openUrl({ ...row, id: unknown }, site.api.vault)).toBeNull();
});

test('a repeated request creates one source', async () => {
  const fields = { name: 'Repeated', kind: 'postgres', url: shop.url, tables: ['public.users'] };
  const key = { 'idempotency-key': 'repeated-source' };
  const first = await site.api.request('POST', '/v1/sources', fields, key);
  const second = await site.api.request('POST', '/v1/sources', fields, key);
  expect([first.status, second.status, second.body.id]).toEqual([201, 201, first.body.id]);
});

test('requests that repeat it at the same time create one source', async () => {
  const sockets = createDatabaseSockets({ allowCidrs: LOOPBACK });
  const { db, vault } = site.api;
  const inspect = createInspectDatabase(sockets.open);
  const sources = createSources({ db, vault, region: 'r', sockets, inspect });
  const fields = { name: 'At once', kind: 'postgres', url: shop.url, tables: ['public.users'] };
  const input = SourceInput.parse(fields);
  const seed = newSeed();
  const made = await Promise.all([1, 2, 3].map(() => sources.create(input, seed)));
  expect(new Set(made.map(({ id }) => id))).toEqual(new Set([seed.id]));
});

test('a name is that of one source, and the records of a table in a sync come from one', async () => {
  const { id, name } = await createSource(site, { url: shop.url, sync_id: 'shared' });
  const same = await postSource(site, { name, url: shop.url });
  expect([same.status, same.body.code, same.body.errors[0].pointer]).toEqual([
    409,
    'name_taken',
    '/name',
  ]);
  const other = await createSource(site, { url: shop.url });
  const renamed = await patch(other.id, { name });
  expect([renamed.status, renamed.body.code]).toEqual([409, 'name_taken']);
  expect((await patch(other.id, { name: other.name })).status).toBe(200);
  const shared = await postSource(site, { url: shop.url, sync_id: 'shared' });
  expect([shared.status, shared.body.errors[0].pointer]).toEqual([422, '/sync_id']);
  expect(shared.body.detail).toContain(name);
  const beside = { url: shop.url, sync_id: 'shared', tables: ['public.orders'] };
  const { id: third } = await createSource(site, beside);
  const added = await patch(third, { tables: ['public.orders', 'public.users'] });
  expect([added.status, added.body.errors[0].pointer]).toEqual([422, '/sync_id']);
  await site.api.request('DELETE', `/v1/sources/${id}?forget=true`);
  expect((await patch(third, { tables: ['public.orders', 'public.users'] })).status).toBe(200);
});

test('tables are named exactly as they are written, and each once', async () => {
  await shop.session.run(
    'create schema if not exists "Odd.one"',
    'create table if not exists "Odd.one"."say ""hi""" (id int primary key)',
  );
  const odd = '"Odd.one"."say ""hi"""';
  const { tables } = await createSource(site, { url: shop.url, tables: [odd] });
  expect(tables).toMatchObject([{ table: odd, collection_id: 'postgres:Odd.one.say "hi"' }]);
  const { body } = await postSource(site, { url: shop.url, tables: ['public.Users'] });
  expect(body.findings[0]).toMatchObject({ problem: 'There is no table public.Users.' });
  const missing = await postSource(site, { url: shop.url, tables: ['"Odd.one".other'] });
  expect(missing.body.findings).toMatchObject([{ table: '"Odd.one".other' }]);
  for (const names of [
    ['public.users', '"public".users'],
    ['public.users', 'public.users'],
    ['users'],
    ['a.b.c'],
    [`public.${'x'.repeat(64)}`],
    [],
  ]) {
    const { status } = await postSource(site, { url: shop.url, tables: names });
    expect([names, status]).toEqual([names, 422]);
  }
});

test('a list is newest first, is searched, and its cursor passes every source once', async () => {
  const one = await createSource(site, { name: 'Searched 50%_x', url: shop.url });
  const two = await createSource(site, { name: 'Searched 50Xx', url: shop.url });
  const list = async (query: string) => (await site.api.request('GET', `/v1/sources${query}`)).body;
  const ids = ({ data }: { data: { id: string }[] }): string[] => data.map(({ id }) => id);
  expect(ids(await list('?q=searched'))).toEqual([two.id, one.id]);
  expect(ids(await list('?q=50%25_'))).toEqual([one.id]);
  expect(ids(await list(`?q=${one.id.slice(0, 30)}`))).toContain(one.id);
  expect(ids(await list(`?q=${new URL(shop.url).pathname.slice(1)}`))).toContain(one.id);
  const seen: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const page = await list(`?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
    seen.push(...ids(page));
    cursor = page.next_cursor;
  }
  expect(seen.slice(0, 2)).toEqual([two.id, one.id]);
  expect(new Set(seen).size).toBe(seen.length);
});

test('what a follower has seen is shown: its lag, its interruption, its tables and its problems', async () => {
  const { id } = await createSource(site, { url: shop.url });
  await note(
    id,
    `lag_bytes = 5000000000, lag_ms = 1500, slot_limit_bytes = 16777216, last_lsn = '0/16B3748',
     measured_at = '2026-11-30T10:00:00Z', last_change_at = '2026-11-30T09:59:00Z',
     interruption = 'It does not answer.', interrupted_since = '2026-11-30T09:00:00Z'`,
  );
  await noteTables(id, `state = 'asking', detail = 'It would delete 3 of 10.', rows_read = 7`);
  await site.api.db.query({
    text: `
      insert into source_problems (source_id, schema_name, table_name, reason, count, upstream_id, first_lsn, last_lsn,
                                   first_at, last_at)
      select $1, 'public', 'users', 'reason ' || n, n, 'u' || n, '0/1', '0/2',
             timestamptz '2026-11-30' + (n / 2) * interval '1 s', now()
        from generate_series(1, 5) n`,
    values: [id],
  });
  const { body } = await site.api.request('GET', `/v1/sources/${id}`);
  expect(body).toMatchObject({
    lag: {
      bytes: 5_000_000_000,
      seconds: 1.5,
      limit_bytes: 16_777_216,
      measured_at: '2026-11-30T10:00:00Z',
    },
    last_lsn: '0/16B3748',
    last_change_at: '2026-11-30T09:59:00Z',
    interruption: { detail: 'It does not answer.', since: '2026-11-30T09:00:00Z' },
    problems: 15,
    tables: [{ state: 'asking', detail: 'It would delete 3 of 10.', rows: 7 }],
  });
  const paused = await site.api.request('POST', `/v1/sources/${id}/pause`);
  expect(paused.body).toMatchObject({ status: 'paused', interruption: null });
  const seen: { reason: string }[] = [];
  let cursor = '';
  do {
    const path = `/v1/sources/${id}/problems?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`;
    const { body: page } = await site.api.request('GET', path);
    seen.push(...page.data);
    cursor = page.next_cursor ?? '';
  } while (cursor !== '');
  expect(seen.map(({ reason }) => reason).sort()).toEqual(
    [1, 2, 3, 4, 5].map((n) => `reason ${n}`),
  );
  expect(
    seen
      .slice(0, 2)
      .map(({ reason }) => reason)
      .sort(),
  ).toEqual(['reason 4', 'reason 5']);
  expect(seen.find(({ reason }) => reason === 'reason 3')).toEqual({
    table: 'public.users',
    reason: 'reason 3',
    count: 3,
    upstream_id: 'u3',
    first_lsn: '0/1',
    last_lsn: '0/2',
    first_at: '2026-11-30T00:00:01Z',
    last_at: expect.stringMatching(/Z$/u),
  });
});

test('an id that is unknown is 404 on every route', async () => {
  for (const id of [unknown, 'abc']) {
    for (const [method, path, body] of [
      ['GET', ''],
      ['PATCH', '', { name: 'x' }],
      ['DELETE', ''],
      ['DELETE', '?forget=true'],
      ['POST', '/pause'],
      ['POST', '/resume'],
      ['POST', '/snapshot', {}],
      ['POST', '/test'],
      ['GET', '/problems'],
    ] as const) {
      const answer = await site.api.request(method, `/v1/sources/${id}${path}`, body);
      expect([method, path, answer.status]).toEqual([method, path, 404]);
    }
  }
});

test('a source whose URL no key opens is listed and mended, and needs its password for that', async () => {
  const { id, url } = await createSource(site, { url: shop.url });
  await using after = openApp(site.api.databaseUrl); // with another key
  const path = `/v1/sources/${id}`;
  expect((await after.request('GET', path)).body.url).toBe(url);
  const tested = await after.request('POST', `${path}/test`);
  expect([tested.status, tested.body.code]).toEqual([409, 'source_unreadable']);
  const added = await after.request('PATCH', path, { tables: ['public.users', 'public.orders'] });
  expect([added.status, added.body.code]).toEqual([409, 'source_unreadable']);
  expect((await after.request('PATCH', path, { expect_within: 60 })).status).toBe(200);
  const masked = await after.request('PATCH', path, { url });
  expect([masked.status, masked.body.errors[0].pointer]).toEqual([422, '/url']);
  expect((await after.request('PATCH', path, { url: shop.url })).status).toBe(200);
  expect((await after.request('POST', `${path}/test`)).body.outcome).toBe('ok');
});

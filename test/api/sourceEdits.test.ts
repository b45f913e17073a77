// what may be changed of a source, and what is looked at in its database for that
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { createDatabaseSockets } from '../../src/egress/databaseSocket.ts';
import type { Source } from '../../src/schema/source.ts';
import { openUrl } from '../../src/sources/sourceUrl.ts';
import { findSource } from '../../src/sources/sourceView.ts';
import { createInspectDatabase, type Asked } from '../../src/sources/testDatabase.ts';
import { LOOPBACK, type Answer } from '../support/app.ts';
import { dropSlots } from '../support/slots.ts';
import { createSource, openSourceSite, type Shop, type SourceSite } from '../support/sourceSite.ts';

const inspect = createInspectDatabase(createDatabaseSockets({ allowCidrs: LOOPBACK }).open);
/** What was looked at. */
const looked: Asked[] = [];
/** What happens while a database is looked at. */
let meanwhile: () => Promise<unknown> = () => Promise.resolve();

let site: SourceSite;
let shop: Shop;

beforeAll(async () => {
  site = await openSourceSite({
    inspect: async (address, asked) => {
      looked.push(asked);
      await meanwhile();
      return inspect(address, asked);
    },
  });
});
afterAll(() => site[Symbol.asyncDispose]());
beforeEach(async () => {
  shop = await site.createShop();
  meanwhile = () => Promise.resolve();
});
afterEach(async () => {
  await dropSlots(shop.session);
  await shop[Symbol.asyncDispose]();
});

async function create(fields: object = {}): Promise<Source> {
  const source = await createSource(site, { url: shop.url, ...fields });
  looked.length = 0;
  return source;
}

const patch = (id: string, body: object): Promise<Answer> =>
  site.api.request('PATCH', `/v1/sources/${id}`, body);

async function versionOf(id: string): Promise<number> {
  const { rows } = await site.api.db.query<{ version: number }>({
    text: 'select version from sources where id = $1',
    values: [id],
  });
  return rows[0]!.version;
}

async function note(id: string, columns: string): Promise<void> {
  await site.api.db.query({ text: `update sources set ${columns} where id = $1`, values: [id] });
}

/** As the follower does: the source has its slot in its database, and has been followed. */
async function follow({ id, slot }: Source): Promise<void> {
  await shop.session.run(
    `select pg_create_logical_replication_slot('${slot}', 'pgoutput')`,
    `create publication ${slot} for table users`,
  );
  await note(id, `last_lsn = '0/1'`);
}

const names = (source: { tables: { table: string }[] }): string[] =>
  source.tables.map(({ table }) => table);

test('a change replaces the given fields and counts a version; a name needs no database', async () => {
  const source = await create({ expect_within: 60 });
  const { status, body } = await patch(source.id, { name: 'Renamed', expect_within: null });
  expect(status).toBe(200);
  expect(body).toEqual({
    ...source,
    name: 'Renamed',
    expect_within: null,
    updated_at: expect.any(String),
  });
  expect(body.updated_at > source.updated_at).toBe(true);
  expect(await versionOf(source.id)).toBe(2);
  expect(looked).toEqual([]);
});

test('a source that is sent back as it was shown stays as it is', async () => {
  const source = await create();
  await follow(source);
  const { url, ca, tables } = source;
  const shown = { url, ca, tables: tables.map(({ table }) => table) };
  const { status, body } = await patch(source.id, shown);
  expect([status, body.url, names(body)]).toEqual([200, url, ['public.users']]);
  const row = await findSource(site.api.db, source.id);
  expect(row && openUrl(row, site.api.vault)).toBe(shop.url);
  expect(looked).toEqual([]);
});

test('a table that is added is looked at, and is read from its beginning even after it was removed', async () => {
  const source = await create();
  await follow(source);
  const added = await patch(source.id, { tables: ['public.users', 'public.orders'] });
  expect([added.status, names(added.body)]).toEqual([200, ['public.orders', 'public.users']]);
  expect(looked.map(({ tables }) => tables)).toEqual([[{ schema: 'public', table: 'orders' }]]);
  const snapshot = async (): Promise<number> => {
    const text = `select snapshot from source_tables where source_id = $1 and table_name = 'orders'`;
    const { rows } = await site.api.db.query<{ snapshot: number }>({ text, values: [source.id] });
    return rows[0]!.snapshot;
  };
  const first = await snapshot();
  expect(names((await patch(source.id, { tables: ['public.users'] })).body)).toEqual([
    'public.users',
  ]);
  await patch(source.id, { tables: ['public.users', 'public.orders'] });
  expect(await snapshot()).toBeGreaterThan(first);
});

test('a table that can not be followed is refused, and nothing is changed', async () => {
  const source = await create();
  await follow(source);
  const state = await shop.state();
  const { status, body } = await patch(source.id, {
    name: 'Not stored',
    tables: ['public.users', 'public.notes'],
  });
  expect([status, body.code]).toEqual([422, 'source_refused']);
  expect(body.findings).toMatchObject([{ table: 'public.notes' }]);
  expect((await site.api.request('GET', `/v1/sources/${source.id}`)).body).toMatchObject({
    name: source.name,
    tables: source.tables,
  });
  expect(await shop.state()).toEqual(state);
});

test('while its database is away, a table can be removed, and none added', async () => {
  const source = await create({ tables: ['public.users', 'public.orders'] });
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  closed.close();
  const row = await findSource(site.api.db, source.id);
  const away = Object.assign(new URL(shop.url), { port: String(port) }).href;
  const sealed = site.api.vault.seal(away, `sources:url:${source.id}`);
  await site.api.db.query({
    text: 'update sources set url = $2 where id = $1',
    values: [row?.id, sealed],
  });
  expect((await patch(source.id, { tables: ['public.users'] })).status).toBe(200);
  const { body } = await patch(source.id, { tables: ['public.users', 'public.orders'] });
  expect(body.findings[0].problem).toBe(`Nothing listens at 127.0.0.1:${port}.`);
});

test('another URL is looked at with all tables, and only then stored', async () => {
  const source = await create();
  await follow(source);
  const wrong = Object.assign(new URL(shop.url), { password: 'wrong' }).href;
  expect((await patch(source.id, { url: wrong })).body.code).toBe('source_refused');
  await shop.session.run(`create role "new ${source.id}" superuser login password 'new/password'`);
  const url = Object.assign(new URL(shop.url), {
    username: `new ${source.id}`,
    password: encodeURIComponent('new/password'),
  }).href;
  const { status, body } = await patch(source.id, { url });
  expect([status, body.url]).toEqual([200, url.replace(/:[^:@]+@/u, ':••••@')]);
  expect(looked.at(-1)?.tables).toEqual([{ schema: 'public', table: 'users' }]);
  const row = await findSource(site.api.db, source.id);
  expect(row && openUrl(row, site.api.vault)).toBe(url);
});

test('another role is accepted even when the slot has been lost: it is the same database', async () => {
  const source = await create();
  await note(source.id, `last_lsn = '0/1'`);
  await shop.session.run(`create role "again ${source.id}" superuser login password 'x'`);
  const fields = { username: `again ${source.id}`, password: 'x' };
  const { status } = await patch(source.id, { url: Object.assign(new URL(shop.url), fields).href });
  expect(status).toBe(200);
});

test('a password that was not sent is not sent to another host', async () => {
  const source = await create();
  const url = source.url.replace('127.0.0.1', '127.0.0.2');
  const { status, body } = await patch(source.id, { url });
  expect([status, body.errors[0].pointer]).toEqual([422, '/url']);
  expect(looked).toEqual([]);
});

test('another database than the one that has been followed is refused: its slot would be left behind', async () => {
  const source = await create();
  const other = await site.createShop();
  expect((await patch(source.id, { url: other.url })).status).toBe(200); // before it is followed
  expect((await patch(source.id, { url: shop.url })).status).toBe(200);
  await follow(source);
  const { status, body } = await patch(source.id, { url: other.url });
  expect([status, body.code]).toEqual([422, 'source_refused']);
  expect(body.findings[0].advice).toContain(`sync_id ${source.sync_id}`);
  await other[Symbol.asyncDispose]();
});

test('a change of what a failed source may be waiting for has it go on', async () => {
  const source = await create();
  await note(source.id, `status = 'failed', status_reason = 'why'`);
  const renamed = await patch(source.id, { expect_within: 60 });
  expect(renamed.body).toMatchObject({ status: 'failed', status_reason: 'why' });
  const { body } = await patch(source.id, { tables: ['public.users', 'public.orders'] });
  expect(body).toMatchObject({ status: 'active', status_reason: null });
  await site.api.request('POST', `/v1/sources/${source.id}/pause`);
  const paused = await patch(source.id, { tables: ['public.users'] });
  expect(paused.body.status).toBe('paused');
});

test('of a source that is being deleted, the way to its database can still be mended', async () => {
  const source = await create();
  await follow(source);
  await site.api.request('DELETE', `/v1/sources/${source.id}`);
  await shop.session.run('drop table users', `create role "leaver" superuser login password 'x'`);
  for (const body of [{ name: 'x' }, { url: shop.url, tables: ['public.orders'] }]) {
    expect((await patch(source.id, body)).body.code).toBe('wrong_status');
  }
  const wrong = Object.assign(new URL(shop.url), { username: 'leaver', password: 'wrong' }).href;
  expect((await patch(source.id, { url: wrong })).body.code).toBe('source_refused');
  const right = Object.assign(new URL(shop.url), { username: 'leaver', password: 'x' }).href;
  const { status, body } = await patch(source.id, { url: right });
  expect([status, body.status]).toEqual([200, 'deleting']);
});

test('an edit of a source that was changed while its database was looked at is refused', async () => {
  const source = await create();
  meanwhile = () => site.api.request('POST', `/v1/sources/${source.id}/pause`);
  const { status, body } = await patch(source.id, { tables: ['public.users', 'public.orders'] });
  expect([status, body.code]).toEqual([409, 'source_changed']);
  expect((await site.api.request('GET', `/v1/sources/${source.id}`)).body).toMatchObject({
    status: 'paused',
    tables: source.tables,
  });
});

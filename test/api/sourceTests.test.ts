// a test of a database says what is there and what is missing
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { issue, selfSigned } from '../support/certificate.ts';
import { createSource, openSourceSite, type Shop, type SourceSite } from '../support/sourceSite.ts';
import { openTlsFront } from '../support/tlsFront.ts';

let site: SourceSite;
let shop: Shop;

beforeAll(async () => {
  site = await openSourceSite();
});
afterAll(() => site[Symbol.asyncDispose]());
beforeEach(async () => {
  shop = await site.createShop();
});
afterEach(() => shop[Symbol.asyncDispose]());

const draft = (fields: object = {}) =>
  site.api.request('POST', '/v1/sources/test', { kind: 'postgres', url: shop.url, ...fields });

test('its version, and every table with its key, its size and what keeps it from being followed', async () => {
  await shop.session.run(
    'create schema "Other"',
    'create table "Other"."a.b" (id int primary key)',
    'create table parted (id int primary key) partition by range (id)',
    'create table low partition of parted for values from (0) to (10)',
    'create unlogged table fast (id int primary key)',
    'create temporary table passing (id int primary key)',
    'create view latest as select * from users',
  );
  const state = await shop.state();
  const { status, body } = await draft();
  expect([status, body.outcome, body.detail, body.findings]).toEqual([200, 'ok', null, []]);
  expect(body.version).toMatch(/^18\.\d+$/u);
  const table = { estimated_rows: null, key: ['id'], findings: [] };
  expect(body.tables).toEqual([
    { ...table, table: 'Other."a.b"' },
    {
      ...table,
      table: 'public.fast',
      findings: [expect.objectContaining({ problem: expect.stringContaining('is unlogged') })],
    },
    {
      ...table,
      table: 'public.notes',
      key: [],
      findings: [expect.objectContaining({ problem: expect.stringContaining('no primary key') })],
    },
    { ...table, table: 'public.orders', key: ['id', 'line'] },
    { ...table, table: 'public.parted', estimated_rows: 0 },
    { ...table, table: 'public.users', estimated_rows: 100 },
  ]);
  expect(await shop.state()).toEqual(state);
});

test('only what is asked for is refused', async () => {
  expect((await draft({ tables: ['public.users'] })).body.outcome).toBe('ok');
  const { status, body } = await draft({ tables: ['public.notes', 'public.nowhere'] });
  expect([status, body.outcome]).toEqual([200, 'refused']);
  expect(body.findings.map(({ table }: { table: string }) => table)).toEqual([
    'public.notes',
    'public.nowhere',
  ]);
});

test('a database that can not be reached is told from one that is refused', async () => {
  const url = Object.assign(new URL(shop.url), { password: 'wrong' }).href;
  const { status, body } = await draft({ url });
  expect(status).toBe(200);
  expect(body).toEqual({
    outcome: 'unreachable',
    detail: expect.stringMatching(/^The password for the role \w+ is wrong.*Check both/u),
    version: null,
    findings: [],
    tables: [],
  });
});

test('a source that is followed is no obstacle to itself', async () => {
  const { id, slot } = await createSource(site, { url: shop.url });
  await shop.session.run(
    `select pg_create_logical_replication_slot('${slot}', 'pgoutput')`,
    `create publication ${slot} for table users`,
  );
  const tested = async () => (await site.api.request('POST', `/v1/sources/${id}/test`)).body;
  expect(await tested()).toMatchObject({ outcome: 'ok', findings: [] });
  expect((await tested()).tables).toHaveLength(3);
  await shop.session.run('drop table users');
  expect(await tested()).toMatchObject({
    outcome: 'refused',
    findings: [{ table: 'public.users', problem: 'There is no table public.users.' }],
  });
  await shop.session.run(`select pg_drop_replication_slot('${slot}')`);
});

test('how a connection is encrypted is what sslmode and the certificates say', async () => {
  const authority = issue({ subject: 'Shop authority', isAuthority: true });
  const port = Number(new URL(shop.url).port);
  await using front = await openTlsFront(port, issue({ issuer: authority }));
  await using named = await openTlsFront(port, issue({ issuer: authority, names: ['elsewhere'] }));
  const other = selfSigned().cert;
  const ca = authority.cert;
  const at = (query: string, of = front): string =>
    Object.assign(new URL(shop.url), { port: String(of.port) }).href + query;

  for (const [url, trusted, outcome] of [
    [at(''), null, 'ok'],
    [at('?sslmode=require'), null, 'ok'],
    [at(''), ca, 'ok'],
    [at('?sslmode=verify-full'), ca, 'ok'],
    [at('?sslmode=verify-ca', named), ca, 'ok'],
    [at('?sslmode=require', named), ca, 'ok'],
    [at('?sslmode=verify-full'), null, /authority is not a public one|not trusted/u],
    [at('?sslmode=verify-ca'), other, /authority/u],
    [at('?sslmode=require'), other, /authority/u],
    [at('?sslmode=verify-full', named), ca, /for another name/u],
    [at('', named), ca, /for another name/u],
  ] as const) {
    const before = front.sessions + named.sessions;
    const { body } = await draft({ url, ca: trusted });
    if (outcome === 'ok') {
      expect([url, body.outcome, body.detail]).toEqual([url, 'ok', null]);
      expect(front.sessions + named.sessions).toBeGreaterThan(before);
    } else {
      expect([url, body.outcome]).toEqual([url, 'unreachable']);
      expect(body.detail).toMatch(outcome);
    }
  }
  const encrypted = front.sessions;
  expect((await draft({ url: at('?sslmode=disable') })).body.outcome).toBe('ok');
  expect(front.sessions).toBe(encrypted);
});

test('a server that does not offer TLS is used without, unless sslmode says otherwise', async () => {
  expect((await draft({ url: `${shop.url}?sslmode=prefer` })).body.outcome).toBe('ok');
  for (const mode of ['require', 'verify-ca', 'verify-full']) {
    const { body } = await draft({ url: `${shop.url}?sslmode=${mode}` });
    expect(body.detail).toMatch(/does not offer TLS\. .*sslmode=disable/u);
  }
});

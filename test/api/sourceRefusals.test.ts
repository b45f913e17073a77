// a database that can not be followed is refused in words, and nothing is changed in it
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { createDatabaseSockets } from '../../src/egress/databaseSocket.ts';
import type { SourceFinding } from '../../src/schema/source.ts';
import { createInspectDatabase, type InspectDatabase } from '../../src/sources/testDatabase.ts';
import { LOOPBACK, openApp, type Answer } from '../support/app.ts';
import { createDatabase } from '../support/database.ts';
import { openOldPostgres } from '../support/oldPostgres.ts';
import { openSilent } from '../support/silent.ts';
import { connectTo, openSourcePostgres } from '../support/sourcePostgres.ts';
import { openSourceSite, postSource, type Shop, type SourceSite } from '../support/sourceSite.ts';

const CONNECT_MS = 700;
const inspectSoon = createInspectDatabase(
  createDatabaseSockets({ allowCidrs: LOOPBACK }).open,
  CONNECT_MS,
);
/** What happens in the database just before it is looked at. */
let before: InspectDatabase | null = null;

let site: SourceSite;
let shop: Shop;

beforeAll(async () => {
  site = await openSourceSite({
    inspect: async (address, asked) => {
      await before?.(address, asked);
      return inspectSoon(address, asked);
    },
  });
});
afterAll(() => site[Symbol.asyncDispose]());
beforeEach(async () => {
  shop = await site.createShop();
});
afterEach(async () => {
  before = null;
  await shop[Symbol.asyncDispose]();
});

function shopUrl(
  fields: Partial<Pick<URL, 'username' | 'password' | 'port' | 'pathname'>>,
): string {
  return Object.assign(new URL(shop.url), fields).href;
}

const port = (): string => new URL(shop.url).port;
const role = (): string => new URL(shop.url).username;

/** Asks for a source that is refused; nothing is stored, and nothing changed in the database. */
async function refused(fields: Record<string, unknown>): Promise<SourceFinding[]> {
  const state = await shop.state();
  const answer = await postSource(site, { url: shop.url, ...fields });
  expect([answer.status, answer.body.code], answer.body.detail).toEqual([422, 'source_refused']);
  expect(await shop.state()).toEqual(state);
  expect(await stored()).toBe(0);
  const [first] = answer.body.findings as SourceFinding[];
  expect(answer.body.detail).toContain(`${first?.problem} ${first?.advice}`);
  return answer.body.findings;
}

async function stored(): Promise<number> {
  const { rows } = await site.api.db.query<{ count: number }>('select count(*) from sources');
  return rows[0]!.count;
}

const words = (findings: SourceFinding[]): string[] => findings.map(({ problem }) => problem);

describe('a database that can not be reached', () => {
  test('because the password is wrong', async () => {
    const [only] = await refused({ url: shopUrl({ password: 'wrong' }) });
    expect(only).toEqual({
      table: null,
      problem: `The password for the role ${role()} is wrong, or there is no such role.`,
      advice: expect.stringContaining('%40 for @') as unknown,
    });
  });

  test('because there is no password', async () => {
    expect(words(await refused({ url: shopUrl({ password: '' }) }))).toEqual([
      'The database asks for a password, and the URL has none.',
    ]);
  });

  test('because there is no such database', async () => {
    expect(words(await refused({ url: shopUrl({ pathname: '/nowhere' }) }))).toEqual([
      `There is no database nowhere at 127.0.0.1:${port()}.`,
    ]);
  });

  test('because a role may not log in', async () => {
    await shop.session.run(`create role sleeper password 'x'`);
    const [only] = await refused({ url: shopUrl({ username: 'sleeper', password: 'x' }) });
    expect(only?.problem).toContain('role "sleeper" is not permitted to log in');
  });

  test('because nothing listens there', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port: free } = closed.address() as AddressInfo;
    closed.close();
    expect(words(await refused({ url: shopUrl({ port: String(free) }) }))).toEqual([
      `Nothing listens at 127.0.0.1:${free}.`,
    ]);
  });

  test('because its host takes no connection', async () => {
    const taken = createServer().listen(0, '127.0.0.2');
    await once(taken, 'listening');
    const { port: free } = taken.address() as AddressInfo;
    taken.close();
    await using _ = await openSilent('127.0.0.2', free);
    const url = shop.url.replace(`127.0.0.1:${port()}`, `127.0.0.2:${free}`);
    const [only] = await refused({ url });
    expect(only).toEqual({
      table: null,
      problem: `127.0.0.2:${free} does not answer.`,
      advice: expect.stringContaining('firewall') as unknown,
    });
  });

  test.each(['', '?sslmode=disable', '?sslmode=require'])(
    'because what takes the connection says nothing, with %j',
    async (query) => {
      const mute = createServer().listen(0, '127.0.0.1');
      await once(mute, 'listening');
      const { port: at } = mute.address() as AddressInfo;
      const url = `${shopUrl({ port: String(at) })}${query}`;
      expect(words(await refused({ url }))).toEqual([`127.0.0.1:${at} does not answer.`]);
      mute.close();
    },
  );

  test('because what listens there is not Postgres', async () => {
    const other = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    }).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port: at } = other.address() as AddressInfo;
    expect(words(await refused({ url: shopUrl({ port: String(at) }) }))).toEqual([
      `What listens at 127.0.0.1:${at} is not Postgres.`,
    ]);
    other.close();
  });

  test('because its host has no address', async () => {
    const url = shop.url.replace('127.0.0.1', 'nowhere.invalid');
    const [only] = await refused({ url });
    expect(only?.problem).toMatch(/^(?:There is no host|The host) nowhere\.invalid/u);
  });

  test('because its address may not be reached', async () => {
    await using guarded = openApp(site.api.databaseUrl, {}, { allowCidrs: [] });
    const fields = { name: 'Guarded', kind: 'postgres', tables: ['public.users'] };
    for (const host of [
      '127.0.0.1',
      '[::1]',
      '10.1.2.3',
      '169.254.169.254',
      'localhost',
      '127.1',
    ]) {
      const url = shop.url.replace('127.0.0.1', host);
      const { status, body } = await guarded.request('POST', '/v1/sources', { ...fields, url });
      expect([host, status, body.code, body.errors?.[0].pointer]).toEqual([
        host,
        422,
        'address_refused',
        '/url',
      ]);
      const draft = { kind: 'postgres', url };
      const tested = await guarded.request('POST', '/v1/sources/test', draft);
      expect([host, tested.body.code]).toEqual([host, 'address_refused']);
    }
    expect(await stored()).toBe(0);
  });
});

describe('a database that is reached, and not set up for it', () => {
  test('because wal_level is replica', async () => {
    await using plain = await createDatabase();
    await using session = await connectTo(plain.url);
    await session.run('create table plants (id int primary key)');
    const findings = await refused({ url: plain.url, tables: ['public.plants'] });
    expect(findings).toEqual([
      {
        table: null,
        problem: 'wal_level is replica, so the log does not have what rows contain.',
        advice: expect.stringContaining("alter system set wal_level = 'logical'") as unknown,
      },
    ]);
  });

  test('because the role may not replicate, or read, or publish', async () => {
    await shop.session.run(`create role weak_one login password 'weak'`);
    const findings = await refused({ url: shopUrl({ username: 'weak_one', password: 'weak' }) });
    expect(words(findings)).toEqual([
      'The role weak_one may not replicate.',
      expect.stringContaining('The role weak_one may not create a publication'),
      'public.users is not owned by the role weak_one, and only its owner may publish it.',
      'The role weak_one may not read public.users.',
    ]);
    expect(findings[0]?.advice).toContain('alter role weak_one replication');
  });

  test('because a table has no key, is not there, or is none', async () => {
    await shop.session.run('create view latest as select * from users');
    const tables = ['public.notes', 'public.nowhere', 'public.latest', 'public.users'];
    const findings = await refused({ tables });
    expect(findings.map(({ table }) => table)).toEqual([
      'public.notes',
      'public.nowhere',
      'public.latest',
    ]);
    expect(words(findings)[0]).toMatch(/^public\.notes has no primary key\. Once it is published/u);
  });

  test('because all slots are taken', async () => {
    await using full = await openSourcePostgres({ max_replication_slots: '1' });
    await using session = await full.connect();
    await session.run(
      'create table users (id int primary key)',
      `select pg_create_logical_replication_slot('other', 'pgoutput')`,
    );
    const findings = await refused({ url: full.url });
    expect(words(findings)).toEqual(['All 1 replication slots are taken.']);
    expect(await session.rows('select slot_name from pg_replication_slots')).toEqual([['other']]);
  });

  test('because somebody has a slot or a publication of the same name', async () => {
    let slot = '';
    before = async (address, asked) => {
      slot = asked.slot;
      await shop.session.run(
        `select pg_create_logical_replication_slot('${slot}', 'pgoutput')`,
        `create publication ${slot} for table users`,
      );
      return inspectSoon(address, asked);
    };
    const answer: Answer = await postSource(site, { name: 'Taken', url: shop.url });
    expect(answer.status).toBe(422);
    expect(slot).toMatch(/^millrace_taken_[0-9a-f]{12}$/u);
    expect(answer.body.findings).toEqual([
      {
        table: null,
        problem: `There is a replication slot ${slot} already.`,
        advice: `If nobody uses it, run: select pg_drop_replication_slot('${slot}')`,
      },
      {
        table: null,
        problem: `There is a publication ${slot} already.`,
        advice: `If nobody uses it, run: drop publication ${slot}`,
      },
    ]);
    expect(await shop.session.rows('select slot_name from pg_replication_slots')).toEqual([[slot]]);
    await shop.session.run(`select pg_drop_replication_slot('${slot}')`);
  });

  test('because its version is too old, whose catalog is not asked any further', async () => {
    await using old = await openOldPostgres(130_011, '13.11');
    const findings = await refused({ url: `postgres://u:p@127.0.0.1:${old.port}/d` });
    expect(findings).toEqual([
      {
        table: null,
        problem: 'The database runs Postgres 13.11.',
        advice: 'Upgrade it to Postgres 14 or newer.',
      },
    ]);
    expect(old.asked).toEqual([]);
  });
});

test('everything that is wrong is said at once', async () => {
  await shop.session.run(`create role weak_two login password 'weak'`);
  const url = shopUrl({ username: 'weak_two', password: 'weak' });
  const findings = await refused({ url, tables: ['public.notes', 'public.users'] });
  expect(findings.length).toBeGreaterThan(5);
});

test.each([
  ['postgres://u:p@h', '/url', /postgres:\/\/user:password@host:port\/database/u],
  ['https://u:p@h/d', '/url', /postgres:\/\//u],
  ['postgres://u:p@s#w@h/d', '/url', /%40 for @/u],
  ['postgres://h/d', '/url', /name a role/u],
  ['postgres://u:••••@h/d', '/url', /send the password itself/u],
])('a URL that is none is refused with what it must be: %s', async (url, pointer, detail) => {
  for (const [path, more] of [
    ['/v1/sources', { name: 'x', tables: ['public.users'] }],
    ['/v1/sources/test', {}],
  ] as const) {
    const { status, body } = await site.api.request('POST', path, {
      kind: 'postgres',
      url,
      ...more,
    });
    expect([status, body.errors?.[0].pointer]).toEqual([422, pointer]);
    expect(body.detail).toMatch(detail);
  }
});

test('certificates that are none are refused', async () => {
  for (const ca of ['none', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----']) {
    const { status, body } = await postSource(site, { url: shop.url, ca });
    expect([status, body.errors[0].pointer]).toEqual([422, '/ca']);
  }
});

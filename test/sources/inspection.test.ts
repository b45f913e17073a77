import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { migrate } from '../../src/db/migrate.ts';
import { readFacts, type TableName } from '../../src/sources/postgres/databaseFacts.ts';
import { findProblems, keyOfTable, type Finding } from '../../src/sources/postgres/inspection.ts';
import { drop, prepare } from '../../src/sources/postgres/preparation.ts';
import { dropSlots } from '../support/slots.ts';
import {
  openSourcePostgres,
  type SourcePostgres,
  type SourceSession,
} from '../support/sourcePostgres.ts';

const NAMES = { slot: 'millrace_s', publication: 'Millrace "p"' };

let postgres: SourcePostgres;
let url: string;
let session: SourceSession;

beforeAll(async () => {
  postgres = await openSourcePostgres();
});
afterAll(() => postgres[Symbol.asyncDispose]());

beforeEach(async () => {
  url = await postgres.createDatabase();
  session = await postgres.connect(url);
});
afterEach(async () => {
  await dropSlots(session);
  await session[Symbol.asyncDispose]();
});

const named = (...names: string[]): TableName[] =>
  names.map((table) => ({ schema: 'public', table }));

async function connect(address: string): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

async function inspect(tables: TableName[], address = url, names = NAMES) {
  await using client = await connect(address);
  const facts = await readFacts(client, { tables, ...names });
  return { facts, found: findProblems(facts, tables, names) };
}

const problems = (found: Finding[]): string[] => found.map(({ problem }) => problem);

test('the tables of Millrace in the same database are refused, which would be followed without end; those beside them are not', async () => {
  await migrate(url);
  await session.run('create table shop (id int primary key)');
  const { rows } = await session.client.query<{ relname: string }>(
    `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')`,
  );
  const own = rows.map(({ relname }) => relname).filter((name) => name !== 'shop');
  expect(own).toContain('events');
  const { found } = await inspect(named(...own));
  expect(problems(found)).toEqual(
    own.map((name) => `public.${name} is a table of Millrace itself, which every append changes.`),
  );
  expect((await inspect(named('shop'))).found).toEqual([]);
  await session.run('drop table visit_lanes');
  expect(problems((await inspect(named('alerts'))).found)).toEqual([]);
});

describe('what keeps tables from being a source is found before anything is changed', () => {
  test('nothing, of a database and tables that are fit', async () => {
    await session.run(
      'create table one (b text, a int, primary key (a, b))',
      'create table full_one (id int primary key)',
      'alter table full_one replica identity full',
      'create table by_index (id int, code text not null unique)',
      'alter table by_index replica identity using index by_index_code_key',
      'create table parted (id int primary key, v text) partition by range (id)',
      'create table low partition of parted for values from (0) to (10)',
    );
    const { facts, found } = await inspect(named('one', 'full_one', 'by_index', 'parted'));
    expect(found).toEqual([]);
    expect(facts.tables.map((table) => table && keyOfTable(table))).toEqual([
      ['a', 'b'],
      ['id'],
      ['code'],
      ['id'],
    ]);
  });

  /** Statements, and what is found of a table `t`. */
  const tables: [statements: string[], problem: RegExp, advice: RegExp][] = [
    [[], /^There is no table public\.t\.$/u, /name/u],
    [['create view t as select 1 as id'], /is a view/u, /tables/u],
    [['create materialized view t as select 1 as id'], /is a materialized view/u, /tables/u],
    [
      [
        'create foreign data wrapper w',
        'create server s foreign data wrapper w',
        'create foreign table t (id int) server s',
      ],
      /is a foreign table/u,
      /tables/u,
    ],
    [['create unlogged table t (id int primary key)'], /is unlogged/u, /set logged$/u],
    [
      ['create table t (id int)'],
      /has no primary key\. Once it is published, Postgres would refuse every update/u,
      /Give it a primary key/u,
    ],
    [
      ['create table t (id int)', 'alter table t replica identity full'],
      /no primary key\. Its rows could not be told apart/u,
      /Give it/u,
    ],
    [
      ['create table t (id int primary key)', 'alter table t replica identity nothing'],
      /NOTHING\. Once it is/u,
      /replica identity default$/u,
    ],
    [
      [
        'create table t (id int primary key, c int not null unique)',
        'alter table t replica identity using index t_c_key',
        'alter table t drop constraint t_c_key',
      ],
      /The index that was the replica identity of public\.t is gone/u,
      /replica identity default$/u,
    ],
    [
      [
        'create table t (id int primary key) partition by range (id)',
        'create table p partition of t for values from (0) to (10)',
        'alter table p replica identity nothing',
      ],
      /^public\.p has the replica identity NOTHING/u,
      /alter table public\.p replica identity default$/u,
    ],
    [
      [
        'create table t (id int primary key, c int not null) partition by range (id)',
        'create table p partition of t for values from (0) to (10)',
        'create unique index p_c on p (c)',
        'alter table p replica identity using index p_c',
      ],
      /public\.p, a partition of public\.t, is known by c, and the table by id/u,
      /alter table public\.p replica identity full$/u,
    ],
  ];
  test.each(tables)('%j', async (statements, problem, advice) => {
    await session.run(...statements);
    const { found } = await inspect(named('t'));
    expect(found).toEqual([
      {
        table: 'public.t',
        problem: expect.stringMatching(problem) as unknown,
        advice: expect.stringMatching(advice) as unknown,
      },
    ]);
  });

  test.each([
    ['d', 'create table t (id int)'],
    ['n', 'create table t (id int primary key); alter table t replica identity nothing'],
    [
      'i',
      'create table t (id int not null unique); alter table t replica identity using index t_id_key; alter table t drop constraint t_id_key',
    ],
  ])('of the replica identity %s, updates of the user would indeed fail', async (_, statement) => {
    await session.run(statement, 'insert into t values (1)', 'create publication p for table t');
    await expect(session.run('update t set id = 2')).rejects.toThrow(
      'does not have a replica identity',
    );
  });

  test('what a role may not do', async () => {
    const role = `weak_${url.slice(-8)}`;
    await session.run(
      `create role ${role} login password 'weak'`,
      'create table t (id int primary key)',
      'create schema hidden',
      'create table hidden.u (id int primary key)',
      `grant select on hidden.u to ${role}`,
      `create table mine (id int primary key)`,
      `alter table mine owner to ${role}`,
      'alter table mine enable row level security, force row level security',
    );
    const weak = new URL(url);
    weak.username = role;
    weak.password = 'weak';
    const asked = [...named('t', 'mine'), { schema: 'hidden', table: 'u' }];
    const { found } = await inspect(asked, weak.href);
    expect(problems(found)).toEqual([
      `The role ${role} may not replicate.`,
      `The role ${role} may not create a publication in the database ${new URL(url).pathname.slice(1)}.`,
      `public.t is not owned by the role ${role}, and only its owner may publish it.`,
      `The role ${role} may not read public.t.`,
      `public.mine has row security, which hides rows from the role ${role}.`,
      `hidden.u is not owned by the role ${role}, and only its owner may publish it.`,
      `The role ${role} may not read hidden.u.`,
    ]);
  });

  test('a member of rds_replication may replicate', async () => {
    const role = `rds_${url.slice(-8)}`;
    await session.run(
      'create role rds_replication',
      `create role ${role} login password 'x' in role rds_replication`,
    );
    const member = new URL(url);
    member.username = role;
    member.password = 'x';
    const { facts } = await inspect([], member.href);
    expect(facts.server.canReplicate).toBe(true);
  });

  test('two tables whose names make the same collection', async () => {
    await session.run(
      'create schema a',
      'create table a."b.c" (id int primary key)',
      'create schema "a.b"',
      'create table "a.b".c (id int primary key)',
    );
    const asked = [
      { schema: 'a', table: 'b.c' },
      { schema: 'a.b', table: 'c' },
    ];
    const { found } = await inspect(asked);
    expect(problems(found)).toEqual(['Two tables would be the collection postgres:a.b.c.']);
  });

  test('names that are taken', async () => {
    await session.run('create table t (id int primary key)');
    await using client = await connect(url);
    await prepare(client, { ...NAMES, tables: named('t') });
    const { found } = await inspect(named('t'));
    expect(found.map(({ problem, advice }) => [problem, advice])).toEqual([
      [
        'There is a replication slot millrace_s already.',
        `If nobody uses it, run: select pg_drop_replication_slot('millrace_s')`,
      ],
      [
        'There is a publication Millrace "p" already.',
        'If nobody uses it, run: drop publication "Millrace ""p"""',
      ],
    ]);
  });

  test('a server that is not set up for it', async () => {
    await using other = await openSourcePostgres({
      wal_level: 'replica',
      max_replication_slots: '0',
      max_wal_senders: '0',
    });
    const { facts, found } = await inspect([], other.url);
    expect(problems(found)).toEqual([
      'wal_level is replica, so the log does not have what rows contain.',
      'All 0 replication slots are taken.',
      'All 0 WAL senders are in use.',
    ]);
    const server = { ...facts.server, version: 130_011, versionText: '13.11', isStandby: true };
    expect(problems(findProblems({ server, tables: [] }, [], NAMES)).slice(0, 2)).toEqual([
      'The database runs Postgres 13.11.',
      'The database is a standby.',
    ]);
  });
});

describe('preparing a source', () => {
  test('publishes the tables that were named and no other, and dropping it leaves nothing', async () => {
    await session.run(
      'create table t (id int primary key)',
      'create table child (extra int) inherits (t)',
      'create table other (id int primary key)',
      'create table parted (id int primary key) partition by range (id)',
      'create table low partition of parted for values from (0) to (10)',
    );
    await using client = await connect(url);
    const source = { ...NAMES, tables: named('t', 'parted') };
    const lsn = await prepare(client, source);
    const published = 'select tablename from pg_publication_tables order by 1';
    expect(await session.rows(published)).toEqual([['parted'], ['t']]);
    expect(
      await session.rows(
        'select pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot from pg_publication',
      ),
    ).toEqual([['t', 't', 't', 't', 't']]);
    expect(
      await session.rows(
        `select slot_name, failover, pg_lsn('0/0') + ${lsn} = confirmed_flush_lsn from pg_replication_slots`,
      ),
    ).toEqual([['millrace_s', 't', 't']]);
    await drop(client, source);
    await drop(client, source);
    expect(
      await session.rows(
        'select pubname from pg_publication union all select slot_name from pg_replication_slots',
      ),
    ).toEqual([]);
    expect(await session.rows(published)).toEqual([]);
  });

  test('that can not have its slot leaves no publication behind', async () => {
    await session.run('create table t (id int primary key)');
    await using client = await connect(url);
    await expect(
      prepare(client, { tables: named('t'), slot: 'Not A Slot', publication: 'p' }),
    ).rejects.toThrow('contains invalid character');
    expect(await session.rows('select pubname from pg_publication')).toEqual([]);
  });
});

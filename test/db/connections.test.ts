import { expect, test } from 'vitest';

import { openDb, type Db, type Sql } from '../../src/db/db.ts';
import { isDatabaseAway } from '../../src/db/errors.ts';
import { withLongStatements } from '../../src/db/longStatements.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/poll.ts';
import { createProxy } from '../support/proxy.ts';

const COUNT = 'create table counted (n int not null)';
/** Longer than statements and their answers may take where they have 1 s. */
const LONG = 'select pg_sleep(3.5) is not null as done';
const INSERT = 'insert into counted values (1)';

/** Makes new sessions of the database read-only, or not; those that are open stay as they are. */
async function setReadOnly(database: TestDatabase, db: Sql, on: boolean): Promise<void> {
  const name = new URL(database.url).pathname.slice(1);
  const how = on ? 'set default_transaction_read_only = on' : 'reset default_transaction_read_only';
  await db.query(`alter database ${name} ${how}`);
}

/** A database whose connections lead to a server that is read-only, while new ones lead to one that is not. */
async function failedOver(database: TestDatabase, max: number): Promise<Db> {
  await using admin = open(database, 1);
  await admin.query(COUNT);
  await setReadOnly(database, admin, true);
  const db = open(database, max);
  const held = Array.from({ length: max }, () => db.query('select pg_sleep(0.2)'));
  await Promise.all([...held, db.pipe.ready()]);
  await until(() => db.connections().idle === max); // each took one of its own
  await setReadOnly(database, admin, false);
  return db;
}

function open(database: TestDatabase, max: number): Db {
  return openDb({ url: database.url, max, onError: () => undefined });
}

test.each<[string, (db: Db) => Promise<unknown>]>([
  ['a statement', (db) => db.query(INSERT)],
  ['a transaction', (db) => db.transaction((tx) => tx.query(INSERT))],
])(
  '%s that finds its server read-only drops every connection to it, and the new ones lead to the primary',
  async (_, write) => {
    await using database = await createDatabase();
    await using db = await failedOver(database, 3);
    await expect(write(db)).rejects.toMatchObject({ code: '25006' });
    await Promise.all([write(db), write(db), write(db)]);
  },
);

test.each<[string, (db: Db) => Promise<unknown>]>([
  ['a statement', ({ pipe }) => pipe.query(INSERT)],
  ['a transaction', ({ pipe }) => pipe.transaction([{ text: INSERT }])],
  ['an exchange', ({ pipe }) => pipe.exchange([], () => [{ text: INSERT }])],
])(
  'the pipe: %s that finds its server read-only drops the connection, statements sent with it are answered, and the new one leads to the primary',
  async (_, write) => {
    await using database = await createDatabase();
    await using db = await failedOver(database, 1);
    const refused = write(db);
    const read = db.pipe.query<{ n: number }>('select 7 as n');
    await expect(refused).rejects.toMatchObject({ code: '25006' });
    expect((await read).rows).toEqual([{ n: 7 }]);
    await write(db);
  },
);

test('two transactions in a deadlock both take effect', async () => {
  await using database = await createDatabase();
  await using db = open(database, 4);
  await db.query('create table locked (id int primary key, n int not null)');
  await db.query('insert into locked values (1, 0), (2, 0)');
  let runs = 0;
  const both = Promise.withResolvers<void>();
  const add = (first: number, second: number) =>
    db.transaction(async (tx) => {
      runs++;
      await tx.query(`update locked set n = n + 1 where id = ${first}`);
      if (runs === 2) both.resolve();
      await both.promise;
      await tx.query(`update locked set n = n + 1 where id = ${second}`);
    });
  await Promise.all([add(1, 2), add(2, 1)]);
  expect(runs).toBeGreaterThan(2); // one of them was the victim
  const { rows } = await db.query('select id, n from locked order by id');
  expect(rows).toEqual([
    { id: 1, n: 2 },
    { id: 2, n: 2 },
  ]);
});

test('a connection that is lost between two statements of a transaction fails the transaction, not the process', async () => {
  await using database = await createDatabase();
  await using db = open(database, 2);
  const work = db.transaction(async (tx) => {
    const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid');
    await db.query(`select pg_terminate_backend(${rows[0]!.pid}, 5000)`);
    await db.query('select pg_sleep(0.1)'); // the loss arrives while no statement is under way
    await tx.query('select 1');
  });
  await expect(work).rejects.toThrow(/terminat|not queryable/u);
});

test.each<[string, (db: Db) => Sql]>([
  ['the pipe', ({ pipe }) => pipe],
  ['the pool', (db) => db],
])(
  '%s gives up a connection whose server has vanished silently, and the next statement gets another one',
  async (_, of) => {
    await using database = await createDatabase();
    await using proxy = await createProxy(database.url);
    await using db = openDb({
      url: proxy.url,
      statementTimeoutMs: 1_000,
      onError: () => undefined,
    });
    const sql = of(db);
    await sql.query('select 1');
    proxy.silenceOpen();
    const unanswered = await sql.query('select 2').catch((error: unknown) => error);
    expect(isDatabaseAway(unanswered)).toBe(true);
    expect((await sql.query('select 3 as n')).rows).toEqual([{ n: 3 }]);
  },
);

test('a pipe that waits for an answer is kept as long as Postgres works on it, and given up soon when it does not', async () => {
  await using database = await createDatabase();
  await using proxy = await createProxy(database.url);
  await using db = openDb({ url: proxy.url, silenceMs: 100, onError: () => undefined });
  const { rows } = await db.pipe.query(LONG); // Postgres was asked some times meanwhile
  expect(rows).toEqual([{ done: true }]);
  proxy.silenceOpen();
  const unanswered = await db.pipe.query('select 2').catch((error: unknown) => error);
  expect(isDatabaseAway(unanswered)).toBe(true);
  expect((await db.pipe.query('select 3 as n')).rows).toEqual([{ n: 3 }]);
});

test('no statement is compiled before it runs, however the server is set', async () => {
  await using database = await createDatabase();
  await using db = open(database, 1);
  const text = `select setting, source from pg_settings where name = 'jit'`;
  for (const sql of [db, db.pipe]) {
    const { rows } = await sql.query({ text });
    expect(rows).toEqual([{ setting: 'off', source: 'client' }]);
  }
});

test('a statement that may take long is waited for', async () => {
  await using database = await createDatabase();
  await using db = openDb({
    url: database.url,
    statementTimeoutMs: 1_000,
    onError: () => undefined,
  });
  const slept = db.transaction(async (tx) => (await withLongStatements(tx)).query(LONG));
  await expect(slept).resolves.toMatchObject({ rows: [{ done: true }] });
  await expect(db.query(LONG)).rejects.toMatchObject({ code: '57014' });
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { openReplication } from '../../src/sources/postgres/replicationConnection.ts';
import { openFollowedSource, type FollowedSource } from '../support/followedSource.ts';
import { until } from '../support/poll.ts';
import { createProxy } from '../support/proxy.ts';
import { configOf, openSourcePostgres, type SourcePostgres } from '../support/sourcePostgres.ts';
import { eventNames } from '../support/sourceRecords.ts';

/** As a server answers that fails on our request. */
const INTERNAL_ERROR = errorResponse('XX000', 'could not map filenumber');

let postgres: SourcePostgres;
let site: FollowedSource;

beforeAll(async () => {
  postgres = await openSourcePostgres();
});
afterAll(() => postgres[Symbol.asyncDispose]());

beforeEach(async () => {
  site = await openFollowedSource(postgres);
  await site.session.run('create table t (id int primary key)', 'insert into t values (1)');
});
afterEach(() => site[Symbol.asyncDispose]());

/** An ErrorResponse of the Postgres protocol. */
function errorResponse(code: string, message: string): Buffer {
  const fields = Buffer.from(`SERROR\0VERROR\0C${code}\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

/** Gives a source another URL, as if it had been right when it was saved. */
async function reachBy(id: string, url: string): Promise<void> {
  const { vault, db } = site.deps;
  await db.query({
    text: `update sources set url = $2, version = version + 1 where id = $1`,
    values: [id, vault.seal(url, `sources:url:${id}`)],
  });
}

async function slots(): Promise<unknown[]> {
  return site.session.rows(
    'select slot_name from pg_replication_slots where database = current_database()',
  );
}

describe('what comes again until somebody changes something', () => {
  test('a wrong password makes it fail, with what to do and without the password', async () => {
    const { id } = await site.create('t');
    const wrong = new URL(site.url);
    wrong.password = 'hunter2';
    await reachBy(id, wrong.href);
    expect(await site.follow(id).ended).toBe('failed');
    const { status, status_reason: reason } = await site.get(id);
    expect(status).toBe('failed');
    expect(reason).toContain(`The password for the role ${wrong.username} is wrong`);
    expect(reason).not.toContain('hunter2');
    expect(await slots()).toEqual([]);
    await reachBy(id, site.url);
    await site.sources.resume(id);
    site.follow(id);
    await site.areIn(id, 'following');
  });

  test('a table that can not be published any more makes it fail before anything is changed', async () => {
    const { id } = await site.create('t');
    await site.session.run('alter table t drop constraint t_pkey');
    expect(await site.follow(id).ended).toBe('failed');
    expect((await site.get(id)).status_reason).toBe(
      'public.t has no primary key. Once it is published, Postgres would refuse every update and delete in it. Give it a primary key, or a unique index of columns that are not null: alter table public.t replica identity using index …',
    );
    expect(await slots()).toEqual([]);
    expect(await site.session.rows('select pubname from pg_publication')).toEqual([]);
  });

  test('no table that is there any more makes it fail', async () => {
    const { id } = await site.create('t');
    await site.session.run('drop table t');
    expect(await site.follow(id).ended).toBe('failed');
    expect((await site.get(id)).status_reason).toMatch(/^None of its tables/u);
  });

  test('a right that is taken away makes it fail, and it goes on once it is given back', async () => {
    const role = `reader_${Date.now()}`;
    await site.session.run(
      `create role ${role} login superuser password 'secret'`,
      `alter table t owner to ${role}`,
    );
    const { id } = await site.create('t');
    const url = new URL(site.url);
    url.username = role;
    url.password = 'secret';
    await reachBy(id, url.href);
    const first = site.follow(id);
    await site.areIn(id, 'following');
    await first.stop();
    await site.session.run(`alter role ${role} nosuperuser noreplication`);
    expect(await site.follow(id).ended).toBe('failed');
    expect((await site.get(id)).status_reason).toContain(
      `The role ${role} may not do what is needed`,
    );
    await site.session.run(`alter role ${role} replication`, 'insert into t values (2)');
    await site.sources.resume(id);
    site.follow(id);
    await site.caughtUp(id);
    expect((await site.get(id)).status).toBe('active');
  });
});

describe('what passes', () => {
  test('a database that is away is said to be, and following goes on by itself when it is back', async () => {
    await using proxy = await createProxy(site.url);
    const { id } = await site.create('t');
    await reachBy(id, proxy.url);
    const following = site.follow(id);
    await site.areIn(id, 'following');
    proxy.setAway(true);
    const { interruption, status } = await until(async () => {
      const source = await site.get(id);
      return source.interruption !== null && following.errors.length > 3 && source;
    });
    expect(status).toBe('active');
    expect(interruption?.detail).toMatch(/^127\.0\.0\.1:\d+ closed the connection/u);
    await site.session.run('insert into t values (2)');
    proxy.setAway(false);
    await site.caughtUp(id);
    await until(async () => (await site.get(id)).interruption === null);
  });

  test('a slot that another session reads is waited for', async () => {
    const { id, slot, publication } = await site.create('t');
    const first = site.follow(id);
    await site.areIn(id, 'following');
    await first.stop();
    await using holder = await holdSlot(slot, publication);
    const second = site.follow(id);
    await until(() => second.errors.length > 0);
    expect((await site.get(id)).interruption?.detail).toContain(
      'Another session reads its replication slot',
    );
    await holder[Symbol.asyncDispose]();
    await site.session.run('insert into t values (2)');
    await site.caughtUp(id);
  });
});

describe('a log that Postgres fails to decode', () => {
  /** Makes that many sessions fail, on another connection than the source was followed by so far. */
  async function failSessions(times: number) {
    const proxy = await createProxy(site.url);
    proxy.answerInstead('START_REPLICATION', INTERNAL_ERROR, times);
    const { id } = await site.create('t');
    const first = site.follow(id);
    await site.areIn(id, 'following');
    await first.stop();
    await site.session.run('insert into t values (2)');
    await reachBy(id, proxy.url);
    return { id, proxy, following: site.follow(id) };
  }

  test('is read by another session from where it was', async () => {
    const { id, proxy, following } = await failSessions(1);
    await using _ = proxy;
    await site.session.run('insert into t values (3)');
    await site.caughtUp(id);
    expect(following.errors).toEqual([]);
    expect((await site.db.query(`select from passes where sync_id = '${id}'`)).rowCount).toBe(0);
    expect(await eventsOf(id)).toEqual(['created 1', 'created 2', 'created 3']);
  });

  test('although another session has tried leads to another slot and to what is different', async () => {
    const { id, proxy, following } = await failSessions(2);
    await using _ = proxy;
    await until(async () => (await eventsOf(id)).length === 2);
    await site.areIn(id, 'following');
    await site.session.run('insert into t values (3)');
    await site.caughtUp(id);
    expect(await eventsOf(id)).toEqual(['created 1', 'created 2', 'created 3']);
    expect(following.errors.map(({ message }) => message)).toEqual([
      "Postgres can't decode its log: could not map filenumber. Another replication slot is created, and its tables are read anew.",
    ]);
    expect(await site.get(id)).toMatchObject({ status: 'active', status_reason: null });
  });
});

test('a slot that its server has given up, because nobody read it, leads to another one and to what is different', async () => {
  await using small = await openSourcePostgres({
    max_slot_wal_keep_size: '16MB',
    max_wal_size: '32MB',
    min_wal_size: '32MB',
  });
  await using own = await openFollowedSource(small);
  await own.session.run(
    'create table t (id int primary key, v text)',
    `insert into t select g, 'a' from generate_series(1, 10) g`,
    'create table other (v text)',
  );
  const { id, slot } = await own.create('t');
  const first = own.follow(id);
  await own.areIn(id, 'following');
  await until(async () => (await own.get(id)).lag?.limit_bytes === 16 * 1024 * 1024);
  await first.stop();
  await own.session.run(`update t set v = 'b' where id = 3`, 'delete from t where id = 4');
  await until(async () => {
    await own.session.run(
      `insert into other select repeat(md5(g::text), 30) from generate_series(1, 20000) g`,
      'checkpoint',
    );
    const [[status] = []] = await own.session.rows(
      'select wal_status from pg_replication_slots where slot_name = $1',
      [slot],
    );
    return status === 'lost';
  });
  const second = own.follow(id);
  await until(async () => {
    const { rows } = await own.db.query(
      `select from events where upstream_id in ('3', '4') and event <> 'created'`,
    );
    return rows.length === 2;
  });
  await own.areIn(id, 'following');
  await own.session.run(`insert into t values (11, 'c')`);
  await own.caughtUp(id);
  const { rows } = await own.db.query<{ text: string }>(
    `select event || ' ' || upstream_id as text from events order by position offset 10`,
  );
  expect(rows.map(({ text }) => text)).toEqual(['updated 3', 'deleted 4', 'created 11']);
  expect(second.errors).toEqual([]);
});

async function eventsOf(id: string): Promise<string[]> {
  return eventNames(site.db, id);
}

/** Reads a slot as a worker does that was not heard of for a while. */
async function holdSlot(slot: string, publication: string): Promise<AsyncDisposable> {
  const connection = await openReplication(configOf(site.url));
  const reading = connection
    .stream({ slot, publication, from: 0n, onFrame: () => undefined })
    .catch(() => undefined); // closing it ends it
  await until(async () => {
    const [[isRead] = []] = await site.session.rows(
      'select active from pg_replication_slots where slot_name = $1',
      [slot],
    );
    return isRead === 't';
  });
  let isClosed = false;
  return {
    [Symbol.asyncDispose]: async () => {
      if (isClosed) return;
      isClosed = true;
      await connection.close();
      await reading;
    },
  };
}

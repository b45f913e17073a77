import { setTimeout as pause } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { checkpointsOf } from '../../src/sources/checkpointNames.ts';
import { openFollowedSource, type FollowedSource } from '../support/followedSource.ts';
import { until } from '../support/poll.ts';
import { openSourcePostgres, type SourcePostgres } from '../support/sourcePostgres.ts';
import { eventFaults, eventNames, tableDifferences } from '../support/sourceRecords.ts';

let postgres: SourcePostgres;
let site: FollowedSource;

beforeAll(async () => {
  postgres = await openSourcePostgres();
});
afterAll(() => postgres[Symbol.asyncDispose]());

beforeEach(async () => {
  site = await openFollowedSource(postgres);
});
afterEach(() => site[Symbol.asyncDispose]());

async function differences(syncId: string, table = 't', key = 'id'): Promise<string[]> {
  return tableDifferences(site.db, site.session, { syncId, table, key });
}

const eventsOf = (syncId: string): Promise<string[]> => eventNames(site.db, syncId);

async function passesOf(syncId: string): Promise<string[]> {
  const { rows } = await site.db.query<{ status: string }>({
    text: 'select status from passes where sync_id = $1 order by created_at',
    values: [syncId],
  });
  return rows.map(({ status }) => status);
}

test('tables are read, their changes follow, and what was seen is shown', async () => {
  await site.session.run(
    'create table t (id int primary key, n numeric, at timestamptz, tags text[], doc json)',
    `insert into t select g, g / 7.0, '2026-11-30 01:02:03.000004+02', array['a', null], '{"a": 1}' from generate_series(1, 1000) g`,
    'create table pair (a int, b text, primary key (b, a))',
    `insert into pair values (1, 'x')`,
  );
  const { id } = await site.create('t', 'pair');
  const following = site.follow(id);
  await site.areIn(id, 'following');
  await site.session.run(
    'update t set n = 1 where id = 1',
    'delete from t where id = 2',
    'update t set id = 2000 where id = 3',
    'begin; update t set n = 9; rollback',
    `insert into pair values (2, 'y')`,
    `update pair set b = 'z' where a = 1`,
  );
  await site.caughtUp(id);
  expect(await differences(id)).toEqual([]);
  expect(await differences(id, 'pair', `format('[%s,%s]', a, to_json(b))`)).toEqual([]);
  expect(await eventFaults(site.db, id)).toEqual([]);
  expect((await eventsOf(id)).slice(1_001)).toEqual([
    'updated 1',
    'deleted 2',
    'deleted 3',
    'created 2000',
    'created [2,"y"]',
    'deleted [1,"x"]',
    'created [1,"z"]',
  ]);
  const shown = await until(async () => {
    const source = await site.get(id);
    return source.lag !== null && source.tables.every(({ changes }) => changes > 0) && source;
  });
  expect(shown).toMatchObject({
    status: 'active',
    interruption: null,
    lag: { bytes: expect.any(Number), seconds: expect.any(Number), limit_bytes: null },
    last_lsn: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/u),
    last_change_at: expect.any(String),
    problems: 0,
    tables: [
      { table: 'public.pair', state: 'following', rows: 1, changes: 3 },
      { table: 'public.t', state: 'following', rows: 1_000, changes: 4 },
    ],
  });
  expect(await following.stop()).toBe('stopped');
  expect(following.errors).toEqual([]);
});

test('only one follows a source; another one waits for the end of its lease, and a stop ends it at once', async () => {
  await site.session.run('create table t (id int primary key)');
  const { id } = await site.create('t');
  const first = site.follow(id);
  await site.areIn(id, 'following');
  const second = site.follow(id);
  await until(() => second.errors.length > 1);
  expect(second.errors[0]?.message).toBe(`Another worker follows the source ${id}`);
  await first.stop();
  await site.session.run('insert into t values (1)');
  await site.caughtUp(id);
  expect(await eventsOf(id)).toEqual(['created 1']);
  expect(first.errors).toEqual([]);
});

describe('a truncation', () => {
  test('deletes all records of its table in its place between the changes', async () => {
    await site.session.run(
      'create table t (id int primary key, v int)',
      'insert into t select g, 0 from generate_series(1, 5) g',
    );
    const { id } = await site.create('t');
    site.follow(id);
    await site.areIn(id, 'following');
    await site.session.run(
      'begin; update t set v = 1 where id = 1; truncate t; insert into t values (1, 2), (9, 2); commit',
      'truncate t',
      'insert into t values (2, 3)',
    );
    await site.caughtUp(id);
    expect(await differences(id)).toEqual([]);
    expect(await eventFaults(site.db, id)).toEqual([]);
    const events = (await eventsOf(id)).slice(5);
    expect(events[0]).toBe('updated 1');
    expect(events.slice(1, 6).toSorted()).toEqual([1, 2, 3, 4, 5].map((one) => `deleted ${one}`));
    expect(events.slice(6, 8)).toEqual(['created 1', 'created 9']);
    expect(events.slice(8, 10).toSorted()).toEqual(['deleted 1', 'deleted 9']);
    expect(events.slice(10)).toEqual(['created 2']);
  });

  test('while a table is read anew leaves nothing of before, and deletes nothing that came after', async () => {
    await site.session.run(
      'create table t (id int primary key, v int)',
      'insert into t select g, 0 from generate_series(1, 3000) g',
    );
    const { id } = await site.create('t');
    const first = site.follow(id);
    await site.areIn(id, 'following');
    await first.stop();
    await site.sources.snapshot(id, { confirm: true });
    await site.session.run(
      'truncate t',
      'insert into t select g, 1 from generate_series(2000, 4000) g',
    );
    site.follow(id);
    await site.areIn(id, 'following');
    await site.caughtUp(id);
    expect(await differences(id)).toEqual([]);
    expect(await eventFaults(site.db, id)).toEqual([]);
    expect(await passesOf(id)).toEqual(['superseded', 'completed']);
  });
});

describe('a table that is read anew', () => {
  beforeEach(async () => {
    await site.session.run(
      'create table t (id int primary key, v int)',
      'insert into t select g, 0 from generate_series(1, 100) g',
    );
  });

  /** What has changed while nobody could see it. */
  async function changeUnseen(...statements: string[]): Promise<string> {
    const { id, slot } = await site.create('t');
    const following = site.follow(id);
    await site.areIn(id, 'following');
    await following.stop();
    await site.session.run(`select pg_drop_replication_slot('${slot}')`, ...statements);
    return id;
  }

  test('after its slot was lost brings exactly what is different', async () => {
    const id = await changeUnseen(
      'update t set v = 1 where id = 1',
      'delete from t where id = 2',
      'insert into t values (101, 0)',
    );
    const following = site.follow(id);
    await until(async () => (await passesOf(id)).includes('completed'));
    await site.areIn(id, 'following');
    await site.session.run('insert into t values (102, 0)');
    await site.caughtUp(id);
    expect((await eventsOf(id)).slice(100)).toEqual([
      'updated 1',
      'created 101',
      'deleted 2',
      'created 102',
    ]);
    expect(await differences(id)).toEqual([]);
    expect(following.errors).toEqual([]);
  });

  test('after Millrace was restored from an older copy brings what the slot has forgotten', async () => {
    const { id } = await site.create('t');
    let following = site.follow(id);
    await site.areIn(id, 'following');
    await site.session.run('insert into t values (101, 0)');
    await site.caughtUp(id);
    const text = 'select value from checkpoints where source = $1 and key = $2';
    const { rows } = await site.db.query<{ value: string }>({
      text,
      values: [checkpointsOf(id), 'log'],
    });
    await site.session.run('insert into t values (102, 0)', 'update t set v = 1 where id = 2');
    await site.caughtUp(id);
    await following.stop();
    await site.db.query({
      text: `update checkpoints set value = $1 where source = $2 and key = 'log'`,
      values: [rows[0]?.value, checkpointsOf(id)],
    });
    await site.db.query(`delete from events where sync_id = '${id}' and upstream_id = '102'`);
    await site.db.query(`delete from records where sync_id = '${id}' and upstream_id = '102'`);
    following = site.follow(id);
    await until(async () => (await passesOf(id)).includes('completed'));
    await site.areIn(id, 'following');
    await site.session.run('insert into t values (103, 0)');
    await site.caughtUp(id);
    expect(await differences(id)).toEqual([]);
    expect((await eventsOf(id)).slice(-2)).toEqual(['created 102', 'created 103']);
    expect(following.errors).toEqual([]);
  });

  test('asks before it deletes more than a fifth, follows its log meanwhile, and deletes once that is confirmed', async () => {
    const id = await changeUnseen('delete from t where id <= 30');
    site.follow(id);
    const { tables } = await site.areIn(id, 'asking');
    expect(tables[0]?.detail).toBe(
      '30 of its 100 records are not in the table. Confirm that they may be deleted, or find out why they are missing.',
    );
    await site.session.run('insert into t values (5, 0)', 'update t set v = 1 where id = 50');
    await site.caughtUp(id);
    expect((await eventsOf(id)).slice(100)).toEqual(['updated 50']); // 5 came back as it was
    await site.sources.snapshot(id, { confirm: true });
    await site.areIn(id, 'following');
    expect((await eventsOf(id)).slice(101).toSorted()).toEqual(
      Array.from({ length: 30 }, (_, nth) => nth + 1)
        .filter((one) => one !== 5)
        .map((one) => `deleted ${one}`)
        .toSorted(),
    );
    expect(await differences(id)).toEqual([]);
    const { rows } = await site.db.query('select is_confirmed from source_tables');
    expect(rows).toEqual([{ is_confirmed: false }]);
  });

  test('on request, and otherwise unchanged, brings nothing', async () => {
    const { id } = await site.create('t');
    site.follow(id);
    await site.areIn(id, 'following');
    await site.sources.snapshot(id, {});
    await until(async () => (await passesOf(id)).includes('completed'));
    await site.areIn(id, 'following');
    expect(await eventsOf(id)).toHaveLength(100);
  });

  test('after its publication was dropped brings what is different, as the log has a gap then', async () => {
    const { id, publication } = await site.create('t');
    const following = site.follow(id);
    await site.areIn(id, 'following');
    await following.stop();
    await site.session.run(`drop publication ${publication}`, 'update t set v = 1 where id = 1');
    site.follow(id);
    await until(async () => (await eventsOf(id)).includes('updated 1'));
    await site.areIn(id, 'following');
    expect(await differences(id)).toEqual([]);
  });
});

describe('large values that updates do not touch', () => {
  const large = (text: string): string => `repeat('${text}', 3000)`;

  beforeEach(async () => {
    await site.session.run(
      'create table t (id int primary key, n int, large text)',
      'alter table t alter large set storage external',
    );
  });

  test('stay as they are stored, also when the key changes', async () => {
    await site.session.run(`insert into t values (1, 0, ${large('abc')}), (2, 0, ${large('def')})`);
    const { id } = await site.create('t');
    site.follow(id);
    await site.areIn(id, 'following');
    await site.session.run(
      'update t set n = 1 where id = 1',
      'update t set id = 7, n = 2 where id = 2',
      `update t set large = ${large('ghi')} where id = 7`,
      'update t set n = 3 where id = 7',
    );
    await site.caughtUp(id);
    expect(await differences(id)).toEqual([]);
    expect(await eventFaults(site.db, id)).toEqual([]);
  });

  test('are read although the rows are updated, and moved, while the table is read for the first time', async () => {
    await site.session.run(
      `insert into t select g, 0, repeat(md5(g::text), 100) from generate_series(1, 2000) g`,
    );
    const { id } = await site.create('t');
    let isDone = false;
    const writing = (async () => {
      await using writer = await postgres.connect(site.url);
      for (let n = 1; !isDone; n += 1) {
        await writer.run(
          `update t set n = n + 1 where id % 97 = ${n % 97}`,
          `update t set id = -id where id = (select max(id) from t)`,
        );
        await pause(5);
      }
    })();
    site.follow(id);
    await site.areIn(id, 'following');
    isDone = true;
    await writing;
    await site.caughtUp(id);
    expect(await differences(id)).toEqual([]);
    expect(await eventFaults(site.db, id)).toEqual([]);
  });
});

test('rows that can not be records are counted with their reasons, and the others follow', async () => {
  await site.session.run('create table t (id text primary key, v text)');
  const { id } = await site.create('t');
  site.follow(id);
  await site.areIn(id, 'following');
  await site.session.run(
    `insert into t values ('', 'no id')`,
    `insert into t values ('large', repeat('x', 1100000))`,
    `update t set v = v || 'y' where id = 'large'`,
    `insert into t values ('good', 'x')`,
  );
  await site.caughtUp(id);
  expect(await eventsOf(id)).toEqual(['created good']);
  expect(await site.get(id)).toMatchObject({ status: 'active', problems: 3 });
  const { data } = (await site.sources.problems(id, { limit: 10, after: null }))!;
  expect(
    data
      .map(({ reason, count, upstream_id: one }) => [reason, count, one])
      .toSorted((a, b) => String(a).localeCompare(String(b))),
  ).toEqual([
    ['The key is an empty text, and a record needs an id', 1, null],
    ['The row is larger than 1048576 bytes', 2, 'large'],
  ]);
});

test('deleting a source drops its slot and its publication, and keeps its records', async () => {
  await site.session.run('create table t (id int primary key)', 'insert into t values (1)');
  const { id } = await site.create('t');
  const following = site.follow(id);
  await site.areIn(id, 'following');
  expect(await site.sources.remove(id)).toBe('deleted');
  expect(await following.ended).toBe('gone');
  expect(
    await site.session.rows(
      'select slot_name from pg_replication_slots where database = current_database()',
    ),
  ).toEqual([]);
  expect(await site.session.rows('select pubname from pg_publication')).toEqual([]);
  expect(await eventsOf(id)).toEqual(['created 1']);
  const { rows } = await site.db.query('select from checkpoints');
  expect(rows).toEqual([]);
});

test('a source that is paused is not followed, and goes on exactly where it stopped', async () => {
  await site.session.run('create table t (id int primary key)');
  const { id } = await site.create('t');
  const first = site.follow(id);
  await site.areIn(id, 'following');
  await site.sources.pause(id);
  expect(await first.ended).toBe('paused');
  await site.session.run('insert into t values (1)', 'update t set id = 2');
  expect(await site.follow(id).ended).toBe('paused');
  await site.sources.resume(id);
  site.follow(id);
  await site.caughtUp(id);
  expect(await eventsOf(id)).toEqual(['created 1', 'deleted 1', 'created 2']);
});

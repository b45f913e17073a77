// following a Postgres of each supported version but the embedded one, which all other tests follow
import { setTimeout as pause } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { Interrupted } from '../../src/sources/followSource.ts';
import { readAddress } from '../../src/sources/postgres/sourceAddress.ts';
import { createInspectDatabase } from '../../src/sources/testDatabase.ts';
import { openFollowedSource, type FollowedSource } from '../support/followedSource.ts';
import { IS_LONG } from '../support/long.ts';
import { openOtherPostgres } from '../support/otherPostgres.ts';
import { until } from '../support/poll.ts';
import { holdRecord } from '../support/recordGate.ts';
import { drawFrom } from '../support/seeded.ts';
import type { SourcePostgres } from '../support/sourcePostgres.ts';
import { eventFaults, eventNames, tableDifferences } from '../support/sourceRecords.ts';
import { createWorkload } from '../support/sourceWorkload.ts';

/** The oldest, or all of them. */
const VERSIONS = (process.env['SOURCE_VERSIONS'] ?? (IS_LONG ? '14,15,16,17' : '14')).split(',');
const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
/** The first one whose slots a standby can take over. */
const WITH_FAILOVER = 17;
/** A package may have to be fetched. */
const START_MS = 400_000;
const PATIENCE = { timeoutMs: 60_000 };

let postgres: SourcePostgres;
let site: FollowedSource;

function serve(major: string): void {
  beforeAll(async () => {
    postgres = await openOtherPostgres(major);
  }, START_MS);
  afterAll(() => postgres[Symbol.asyncDispose]());

  beforeEach(async () => {
    site = await openFollowedSource(postgres);
  });
  afterEach(() => site[Symbol.asyncDispose]());
}

async function differences(syncId: string, table = 't', key = 'id'): Promise<string[]> {
  return tableDifferences(site.db, site.session, { syncId, table, key });
}

const eventsOf = (syncId: string): Promise<string[]> => eventNames(site.db, syncId);

/** Follows tables until their rows are read. */
async function followTables(...tables: string[]) {
  const source = await site.create(...tables);
  const following = site.follow(source.id);
  await site.areIn(source.id, 'following');
  return { ...source, following };
}

describe.each(VERSIONS)('with Postgres %s', (major) => {
  serve(major);

  test('nothing is found wrong, and the tables that it has are listed', async () => {
    await site.session.run(
      'create table t (id int primary key)',
      'create table keyless (id int)',
      'create table parted (a int, b text, primary key (b, a)) partition by list (a)',
      'create table p1 partition of parted for values in (1)',
    );
    const inspect = createInspectDatabase(site.deps.openSocket);
    const seen = await inspect(readAddress(site.url, null), {
      tables: ['t', 'parted'].map((table) => ({ schema: 'public', table })),
      slot: 'ours',
      publication: 'ours',
      isOwn: false,
      withOthers: true,
    });
    expect(seen).toMatchObject({
      kind: 'seen',
      version: expect.stringMatching(new RegExp(`^${major}\\.`, 'u')),
      findings: [],
      tables: [
        { table: 'public.keyless', key: [], findings: [expect.anything()] },
        { table: 'public.parted', key: ['b', 'a'], findings: [] },
        { table: 'public.t', key: ['id'], findings: [] },
      ],
    });
  });

  test('tables are read and their changes follow, in the order of the commits', async () => {
    await site.session.run(
      'create table t (id int primary key, n int)',
      'insert into t select g, 0 from generate_series(1, 500) g',
      'create table pair (a int, b text, primary key (b, a))',
      `insert into pair values (1, 'x')`,
    );
    const { id, following } = await followTables('t', 'pair');
    await site.session.run(
      'insert into t values (501, 1)',
      'update t set n = 1 where id = 1',
      'delete from t where id = 2',
      'update t set id = 2000 where id = 3',
      'begin; update t set n = 9; delete from pair; rollback',
      `begin; insert into pair values (2, 'y'); update t set n = 2 where id = 1; update pair set b = 'z' where a = 1; commit`,
    );
    await site.caughtUp(id);
    expect((await eventsOf(id)).slice(501)).toEqual([
      'created 501',
      'updated 1',
      'deleted 2',
      'deleted 3',
      'created 2000',
      'created [2,"y"]',
      'updated 1',
      'deleted [1,"x"]',
      'created [1,"z"]',
    ]);
    expect(await differences(id)).toEqual([]);
    expect(await differences(id, 'pair', `format('[%s,%s]', a, to_json(b))`)).toEqual([]);
    expect(await eventFaults(site.db, id)).toEqual([]);
    expect(following.errors).toEqual([]);
  });

  test('values are exact, those that are read and those that follow', async () => {
    await site.session.run(
      `create table t (id int primary key, n numeric, big bigint, f float8, at timestamptz, local timestamp,
         doc json, docb jsonb, raw bytea, tags text[], grid int[], flag bool, day date, nothing text)`,
    );
    const row = `12345678901234567890.123456789000, 9223372036854775807, 0.1, '2026-11-30 01:02:03.000004+02',
      '2026-11-30 01:02:03.5', '{"b": 1.0,  "a": [null]}', '{"b": 1.0,  "a": [null]}', '\\x00ff41',
      array['a', null, 'ü "'], array[[1, 2], [3, 4]], true, '2026-11-30', null`;
    await site.session.run(`insert into t values (1, ${row})`);
    const { id } = await followTables('t');
    await site.session.run(`insert into t values (2, ${row})`);
    await site.caughtUp(id);
    const { rows } = await site.db.query<{ data: string }>(
      'select data from records order by upstream_id',
    );
    const text = (key: number): string =>
      `{"id":${key},"n":12345678901234567890.123456789000,"big":9223372036854775807,"f":0.1,"at":"2026-11-29T23:02:03.000004Z","local":"2026-11-30T01:02:03.5","doc":{"b": 1.0,  "a": [null]},"docb":{"a": [null], "b": 1.0},"raw":"\\\\x00ff41","tags":["a",null,"ü \\""],"grid":[[1,2],[3,4]],"flag":true,"day":"2026-11-30","nothing":null}`;
    expect(rows.map(({ data }) => data)).toEqual([text(1), text(2)]);
  });

  test('large values that updates do not touch stay as they are, also when the key changes', async () => {
    await site.session.run(
      'create table t (id int primary key, n int, large text)',
      'alter table t alter large set storage external',
      `insert into t select g, 0, repeat(md5(g::text), 300) from generate_series(1, 3) g`,
    );
    const { id } = await followTables('t');
    await site.session.run(
      'update t set n = 1 where id = 1',
      'update t set id = 7, n = 2 where id = 2',
      `update t set large = repeat('new', 3000) where id = 7`,
      'update t set n = 3 where id = 7',
    );
    await site.caughtUp(id);
    expect((await eventsOf(id)).slice(3)).toEqual([
      'updated 1',
      'deleted 2',
      'created 7',
      'updated 7',
      'updated 7',
    ]);
    expect(await differences(id)).toEqual([]);
    expect(await eventFaults(site.db, id)).toEqual([]);
  });

  test('a truncation deletes the records in its place, and a column that is added comes with what changes', async () => {
    await site.session.run(
      'create table t (id int primary key, v int)',
      'insert into t select g, 0 from generate_series(1, 3) g',
    );
    const { id } = await followTables('t');
    await site.session.run(
      'begin; update t set v = 1 where id = 1; truncate t; insert into t values (9, 2); commit',
      `alter table t add more text default 'given'`,
      'update t set v = 3 where id = 9',
      `insert into t values (10, 4, 'own')`,
    );
    await site.caughtUp(id);
    const events = (await eventsOf(id)).slice(3);
    expect(events[0]).toBe('updated 1');
    expect(events.slice(1, 4).toSorted()).toEqual(['deleted 1', 'deleted 2', 'deleted 3']);
    expect(events.slice(4)).toEqual(['created 9', 'updated 9', 'created 10']);
    expect(await differences(id)).toEqual([]);
    expect(await eventFaults(site.db, id)).toEqual([]);
  });

  test('a table can be added and taken away while others are followed', async () => {
    await site.session.run(
      'create table t (id int primary key)',
      'create table parted (id int primary key) partition by hash (id)',
      'create table p0 partition of parted for values with (modulus 2, remainder 0)',
      'create table p1 partition of parted for values with (modulus 2, remainder 1)',
      'insert into parted values (1), (2)',
    );
    const { id } = await followTables('t');
    await site.sources.patch(id, { tables: ['public.t', 'public.parted'] });
    await until(async () => (await eventsOf(id)).length === 2);
    await site.areIn(id, 'following');
    await site.session.run('insert into parted values (3)', 'insert into t values (4)');
    await site.caughtUp(id);
    expect(await eventsOf(id)).toEqual(['created 1', 'created 2', 'created 3', 'created 4']);
    await site.sources.patch(id, { tables: ['public.parted'] });
    const published = () =>
      site.session.rows('select tablename from pg_publication_tables order by 1');
    await until(async () => JSON.stringify(await published()) === '[["parted"]]');
    await site.session.run('insert into t values (5)', 'insert into parted values (6)');
    await site.caughtUp(id);
    expect((await eventsOf(id)).slice(4)).toEqual(['created 6']);
  });

  test('the slot lives on at a standby where it can, and is dropped with the publication', async () => {
    await site.session.run('create table t (id int primary key)', 'insert into t values (1)');
    const { id, slot, following } = await followTables('t');
    const [[json] = []] = await site.session.rows(
      'select to_json(s) from pg_replication_slots s where slot_name = $1',
      [slot],
    );
    const { plugin, failover } = JSON.parse(json ?? '{}') as Record<string, unknown>;
    expect(plugin).toBe('pgoutput');
    expect(failover).toBe(Number(major) >= WITH_FAILOVER ? true : undefined);
    expect(await site.sources.remove(id)).toBe('deleted');
    expect(await following.ended).toBe('gone');
    expect(await site.session.rows('select slot_name from pg_replication_slots')).toEqual([]);
    expect(await site.session.rows('select pubname from pg_publication')).toEqual([]);
    expect(await eventsOf(id)).toEqual(['created 1']);
  });
});

/** Runs statements until the server is killed: `kill` kills it, and resolves once all of them have noticed. */
function startWriting(...writers: (() => string)[]): { kill: () => Promise<void> } {
  let isKilled = false;
  const writing = writers.map(async (next) => {
    await using session = await postgres.connect(site.url);
    for (;;) {
      try {
        await session.run(next());
      } catch (error) {
        if (isKilled) return;
        if ((error as { code?: string }).code !== '40P01') throw error; // two truncations that waited for each other
        await session.run('rollback');
      }
      await pause(1);
    }
  });
  const written = Promise.all(writing);
  written.catch(() => undefined); // `kill` rejects with it
  return {
    kill: async () => {
      isKilled = true;
      await postgres.kill();
      await written;
    },
  };
}

/** Which log is followed: there is another one with every slot that is created. */
async function logOf(id: string): Promise<string | undefined> {
  const { rows } = await site.db.query<{ log: string }>({
    text: `select value::json ->> 'id' as log from checkpoints where source = $1 and key = 'log'`,
    values: [`source/${id}`],
  });
  return rows[0]?.log;
}

/** Attempts have ended because the database was away, and for no other reason. */
function expectInterruptions(errors: Error[], least: number): void {
  expect(errors.filter((one) => !(one instanceof Interrupted))).toEqual([]);
  expect(errors.length).toBeGreaterThanOrEqual(least);
}

describe.each(VERSIONS)('a kill -9 of Postgres %s', (major) => {
  serve(major);

  test(`in the middle of the stream loses nothing and doubles nothing (SEED=${SEED})`, async () => {
    const workload = createWorkload(drawFrom(SEED));
    await workload.create(site.session);
    const { id, following } = await followTables(...workload.tables);
    const log = await logOf(id);
    const count = async (): Promise<number> => (await eventsOf(id)).length;
    for (let kills = 0; kills < 2; kills += 1) {
      const before = await count();
      const writing = startWriting(
        () => workload.next(0),
        () => workload.next(1),
      );
      await until(async () => (await count()) > before + 300, PATIENCE);
      await writing.kill();
      await postgres.restart();
    }
    await site.reconnect();
    await site.areIn(id, 'following');
    await site.caughtUp(id);
    expect(await workload.faults(site.db, site.session, id)).toEqual([]);
    expect(await site.get(id)).toMatchObject({ status: 'active', problems: 0 });
    expect(await logOf(id)).toBe(log); // or everything would have been read again
    expectInterruptions(following.errors, 2);
  });

  test(`in the middle of a snapshot loses nothing and doubles nothing (SEED=${SEED})`, async () => {
    const rows = 30_000;
    const heldId = 20_000; // its change would hold up the log
    const draw = drawFrom(SEED);
    await site.session.run(
      'create sequence s',
      'create table t (id int primary key, seq bigint, v text)',
      `insert into t select g, nextval('s'), md5(g::text) from generate_series(1, ${rows}) g`,
    );
    const { id } = await site.create('t');
    const following = site.follow(id);
    const stored = async (): Promise<number> => {
      const { rows: found } = await site.db.query<{ count: string }>(
        'select count(*) from records',
      );
      return Number(found[0]?.count);
    };
    await using held = await holdRecord(site.databaseUrl, `${heldId}`); // or all might be read before a kill
    for (const least of [100, 8_000]) {
      const writing = startWriting(
        () =>
          `update t set seq = nextval('s'), v = 'during' where id % 997 = ${Math.floor(draw() * 997)} and id <> ${heldId}`,
        () => `insert into t values (-nextval('s'), currval('s'), 'new')`,
      );
      await until(async () => (await stored()) > least, PATIENCE);
      await writing.kill();
      expect(await stored()).toBeLessThan(rows);
      expect((await site.get(id)).tables[0]?.state).toBe('reading');
      await postgres.restart();
    }
    await held[Symbol.asyncDispose]();
    await site.reconnect();
    await site.session.run(
      'delete from t where id % 10 = 0',
      `update t set v = null, seq = nextval('s') where id < 0`,
    );
    await site.areIn(id, 'following');
    await site.caughtUp(id);
    expect(await differences(id)).toEqual([]);
    expect(await eventFaults(site.db, id)).toEqual([]);
    expectInterruptions(following.errors, 2);
  });
});

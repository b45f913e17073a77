import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { openFollowedSource, type FollowedSource } from '../support/followedSource.ts';
import { until } from '../support/poll.ts';
import { openSourcePostgres, type SourcePostgres } from '../support/sourcePostgres.ts';
import { eventNames, tableDifferences } from '../support/sourceRecords.ts';

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

describe('the tables of a source', () => {
  beforeEach(async () => {
    await site.session.run(
      'create table t (id int primary key)',
      'insert into t values (1)',
      'create table later (id int primary key)',
      'insert into later values (1), (2)',
    );
  });

  test('may become more and fewer while it is followed', async () => {
    const { id } = await site.create('t');
    site.follow(id);
    await site.areIn(id, 'following');
    await site.sources.patch(id, { tables: ['public.t', 'public.later'] });
    await until(async () => (await site.get(id)).tables.length === 2);
    await site.areIn(id, 'following');
    await site.session.run('insert into later values (3)');
    await site.caughtUp(id);
    expect(await eventsOf(id)).toEqual(['created 1', 'created 1', 'created 2', 'created 3']);
    await site.sources.patch(id, { tables: ['public.later'] });
    const published = async (): Promise<unknown> =>
      site.session.rows('select tablename from pg_publication_tables');
    await until(async () => JSON.stringify(await published()) === '[["later"]]');
    await site.session.run('insert into t values (9)', 'insert into later values (9)');
    await site.caughtUp(id);
    expect((await eventsOf(id)).slice(4)).toEqual(['created 9']);
    // What it has missed comes once it is of the source again.
    await site.sources.patch(id, { tables: ['public.t', 'public.later'] });
    await until(async () => (await eventsOf(id)).length === 6);
    await site.areIn(id, 'following');
    expect(await differences(id)).toEqual([]);
  });

  test('that is added waits for transactions that may have changed it before it was published', async () => {
    const { id } = await site.create('t');
    site.follow(id);
    await site.areIn(id, 'following');
    await using writer = await postgres.connect(site.url);
    await writer.run('begin', 'update later set id = 7 where id = 2', 'insert into t values (2)');
    await site.sources.patch(id, { tables: ['public.t', 'public.later'] });
    const detail = await until(
      async () => (await site.get(id)).tables.find(({ table }) => table === 'public.later')?.detail,
    );
    expect(detail).toMatch(
      /^Its rows are read once a transaction ends that is open in the database/u,
    );
    expect(await eventsOf(id)).toEqual(['created 1']);
    await writer.run('commit');
    await site.areIn(id, 'following');
    expect(await differences(id, 'later')).toEqual([]);
    expect(await differences(id)).toEqual([]);
  });

  test('that is dropped is gone, and the others are followed', async () => {
    const { id } = await site.create('t', 'later');
    site.follow(id);
    await site.areIn(id, 'following');
    await site.session.run('drop table later');
    const { tables } = await site.areIn(id, 'following', 'gone');
    await until(async () => (await site.get(id)).tables.some(({ state }) => state === 'gone'));
    expect(tables).toHaveLength(2);
    await site.session.run('insert into t values (2)');
    await site.caughtUp(id);
    expect((await eventsOf(id)).at(-1)).toBe('created 2');
  });

  test('that is dropped and created again is read anew', async () => {
    const { id } = await site.create('t', 'later');
    site.follow(id);
    await site.areIn(id, 'following');
    await site.session.run(
      'begin; drop table later; create table later (id int primary key, v int); insert into later values (2, 1); commit',
    );
    await site.areIn(id, 'following', 'asking');
    await until(async () => (await site.get(id)).tables.some(({ state }) => state === 'asking'));
    await site.sources.snapshot(id, { confirm: true });
    await site.areIn(id, 'following');
    expect(await differences(id, 'later')).toEqual([]);
  });

  test('columns that are added and dropped need nothing', async () => {
    const { id } = await site.create('t');
    site.follow(id);
    await site.areIn(id, 'following');
    await site.session.run(
      `begin; insert into t values (2); alter table t add v text; insert into t values (3, 'x'); commit`,
      'alter table t drop v',
      'insert into t values (4)',
    );
    await site.caughtUp(id);
    expect(await differences(id)).toEqual([]);
  });
});

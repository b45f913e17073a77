import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { openChunkReader, type ReadChunk } from '../../src/sources/postgres/chunkReader.ts';
import {
  chunkMark,
  createChunkWindow,
  type Chunk,
  type ChunkWindow,
  type Settled,
} from '../../src/sources/postgres/chunkWindow.ts';
import type { LogItem } from '../../src/sources/postgres/groupCutter.ts';
import type { Change } from '../../src/sources/postgres/rowChange.ts';
import { isVisible, parseSnapshot } from '../../src/sources/postgres/snapshotText.ts';
import { createCopy, type LogCopy } from '../support/logCopy.ts';
import { until } from '../support/poll.ts';
import { drawFrom, seedOf } from '../support/seeded.ts';
import { openSourceLog, START, type SourceLog, type Store } from '../support/sourceLog.ts';
import { configOf, openSourcePostgres, type SourcePostgres } from '../support/sourcePostgres.ts';

const SEED = seedOf(process.env['SEED']);

let postgres: SourcePostgres;
let log: SourceLog;

beforeAll(async () => {
  postgres = await openSourcePostgres();
});
afterAll(() => postgres[Symbol.asyncDispose]());

beforeEach(async () => {
  log = await openSourceLog(postgres);
});
afterEach(() => log[Symbol.asyncDispose]());

interface Asked {
  chunk: PromiseWithResolvers<ReadChunk>;
  settled: PromiseWithResolvers<Settled>;
}

/** Follows the log into a copy, and puts chunks where they belong in it. */
function followWithChunks(window: ChunkWindow, copy: LogCopy) {
  const asked = new Map<string, Asked>();
  const store: Store = async (group) => {
    const items: LogItem[] = [];
    for (const item of group.items) {
      items.push(item);
      const id = window.see(item);
      const one = asked.get(id ?? '');
      if (one === undefined) continue;
      const settled = window.settle(await one.chunk.promise);
      if (settled.kind === 'rows') {
        for (const change of settled.rows) items.push({ kind: 'change', lsn: 0n, change });
      }
      one.settled.resolve(settled);
    }
    copy.store({ ...group, items });
  };
  const ask = (id: string): Asked => {
    const one: Asked = { chunk: Promise.withResolvers(), settled: Promise.withResolvers() };
    asked.set(id, one);
    return one;
  };
  return { following: log.follow(START, store), ask };
}

test(`a table that is read in chunks while it is written to is the same in the end (SEED=${SEED})`, async () => {
  const draw = drawFrom(SEED);
  const upTo = (most: number): number => Math.floor(draw() * most);
  await log.prepare(
    'only t, pair, parted',
    'create table t (id int primary key, n numeric, v text, twice numeric generated always as (n * 2) stored)',
    'create table heir (extra int) inherits (t)',
    'insert into heir values (-1, 0, null, default, 0)',
    `insert into t select g, g / 7.0, 'before' from generate_series(1, 3000) g`,
    'create table pair (a int, b text, at timestamptz default clock_timestamp(), primary key (b, a))',
    `insert into pair select g % 50, 'b' || g from generate_series(1, 1000) g`,
    'create table parted (id int primary key, v text) partition by hash (id)',
    'create table p0 partition of parted for values with (modulus 2, remainder 0)',
    'create table p1 partition of parted for values with (modulus 2, remainder 1)',
    'insert into parted select generate_series(1, 300)',
  );
  await log.session.run(`alter publication "odd p'" set (publish_via_partition_root = true)`);
  await using reader = await openChunkReader(configOf(log.url), 'ours');
  const copy = createCopy();
  const window = createChunkWindow((await reader.visibility()).underWay);
  const { following, ask } = followWithChunks(window, copy);

  let isDone = false;
  const statements: (() => string)[] = [
    () => `update t set v = 'during' || ${upTo(1e6)}, n = n + 0.1 where id = ${1 + upTo(3_000)}`,
    () => `insert into t values (${3_000 + upTo(1e6)}, 1, 'new') on conflict do nothing`,
    () => `delete from t where id = ${1 + upTo(3_000)}`,
    () => `update t set id = id + 10000000 where id = ${1 + upTo(3_000)}`,
    () => `update pair set at = clock_timestamp() where a = ${upTo(50)}`,
    () => `delete from pair where b = 'b${upTo(1_000)}'`,
    () => `update parted set v = 'w${upTo(1e6)}' where id % 7 = ${upTo(7)}`,
    () => `begin; update t set v = 'no' where id < 100; rollback`,
  ];
  const writers = [0, 1].map(async () => {
    await using session = await postgres.connect(log.url);
    while (!isDone) await session.run(statements[upTo(statements.length)]!());
  });

  let chunks = 0;
  for (const [table, key] of [
    ['t', ['id']],
    ['pair', ['b', 'a']],
    ['parted', ['id']],
  ] as const) {
    let after: string[] | null = null;
    for (let isLast = false; !isLast;) {
      const id = `c${(chunks += 1)}`;
      const one = ask(id);
      const read: ReadChunk = await reader.read({
        id,
        schema: 'public',
        table,
        key,
        after,
        limit: 200,
      });
      one.chunk.resolve(read);
      if ((await one.settled.promise).kind === 'again') continue;
      after = read.last;
      isLast = after === null;
    }
  }
  isDone = true;
  await Promise.all(writers);
  await log.mark('end');
  await until(() => copy.hasMark('end'));
  log.stopping.abort();
  expect(await following).toEqual({ kind: 'stopped' });
  expect(chunks).toBeGreaterThan(10);
  const withoutGenerated = '(select id, n, v from only t)';
  expect(await copy.differences(log.session, 't', 'id', withoutGenerated)).toEqual([]);
  expect(await copy.differences(log.session, 'pair', `format('[%s,%s]', a, to_json(b))`)).toEqual(
    [],
  );
  expect(await copy.differences(log.session, 'parted', 'id')).toEqual([]);
});

test('a chunk that does not see a commit which is in the log is read again, and brings no old row back', async () => {
  await log.prepare(
    't',
    'create table t (id int primary key, v text)',
    `insert into t values (1, 'old')`,
  );
  await using reader = await openChunkReader(configOf(log.url), 'ours');
  const copy = createCopy();
  const window = createChunkWindow((await reader.visibility()).underWay);
  const { following, ask } = followWithChunks(window, copy);
  const value = (): string | null => {
    const items = copy.items.flatMap((item) => (item.kind === 'change' ? [item.change] : []));
    const last = items.at(-1);
    return last?.kind === 'row' ? last.data : null;
  };
  const read = async (id: string): Promise<Settled> => {
    const one = ask(id);
    one.chunk.resolve(
      await reader.read({ id, schema: 'public', table: 't', key: ['id'], after: null, limit: 10 }),
    );
    return one.settled.promise;
  };
  // A commit waits for a standby that is not there: it is in the log, and nobody sees it.
  await log.session.run(
    'set synchronous_commit = local',
    `alter system set synchronous_standby_names = 'nobody'`,
    'select pg_reload_conf()',
  );
  await using writer = await postgres.connect(log.url);
  await until(
    async () => (await writer.rows('show synchronous_standby_names'))[0]?.[0] === 'nobody',
  );
  const committing = writer.run(`update t set v = 'new'`);
  await until(() => value() === '{"id":1,"v":"new"}');
  expect(await log.session.rows('select v from t')).toEqual([['old']]);
  expect(await read('c1')).toEqual({ kind: 'again', waitsFor: [expect.any(Number)] });
  expect(await read('c2')).toMatchObject({ kind: 'again' });
  expect(value()).toBe('{"id":1,"v":"new"}');
  await log.session.run('alter system reset synchronous_standby_names', 'select pg_reload_conf()');
  await committing;
  expect(await read('c3')).toMatchObject({ kind: 'rows', rows: [{ data: '{"id":1,"v":"new"}' }] });
  log.stopping.abort();
  expect(await following).toEqual({ kind: 'stopped' });
});

describe('a chunk window', () => {
  const none = parseSnapshot('5:5:');
  const row = (upstreamId: string, collection = 'c', data: string | null = '{}'): Change => ({
    kind: 'row',
    collection,
    upstreamId,
    data,
    deleted: data === null,
    merge: false,
    movedFrom: null,
  });
  const change = (one: Change): LogItem => ({ kind: 'change', lsn: 0n, change: one });
  const transaction = (xid: number): LogItem => ({
    kind: 'transaction',
    xid,
    commitLsn: 0n,
    committedAt: '2026-11-30T00:00:00.000000Z',
  });
  const mark = (id: string, side: 'begin' | 'end'): LogItem => ({
    kind: 'mark',
    lsn: 0n,
    content: chunkMark(id, side),
  });
  const chunk = (rows: Change[], snapshot = '100:100:'): Chunk => ({
    id: 'c1',
    rows,
    visibility: parseSnapshot(snapshot),
  });
  const seeAll = (window: ChunkWindow, ...items: LogItem[]): (string | null)[] =>
    items.map((item) => window.see(item));

  test('leaves out what the log shows between the marks, and nothing that it shows elsewhere', () => {
    const window = createChunkWindow(none.underWay);
    const seen = seeAll(
      window,
      change(row('before')),
      mark('c1', 'begin'),
      change(row('deleted', 'c', null)),
      change(row('updated')),
      change(row('other', 'another collection')),
      mark('c1', 'end'),
      change(row('after')),
    );
    expect(seen).toEqual([null, null, null, null, null, 'c1', null]);
    const rows = ['before', 'deleted', 'updated', 'other', 'after'].map((id) => row(id));
    expect(window.settle(chunk(rows))).toEqual({
      kind: 'rows',
      rows: [row('before'), row('other'), row('after')],
    });
  });

  const partial = (upstreamId: string, data: string, movedFrom: string | null = null): Change => ({
    ...(row(upstreamId) as Extract<Change, { kind: 'row' }>),
    data,
    merge: true,
    movedFrom,
  });

  test('takes from a chunk the large values that the log leaves out, and from the log all that it shows', () => {
    const window = createChunkWindow(none.underWay);
    seeAll(
      window,
      change(partial('1', '{"a":"before"}')),
      mark('c1', 'begin'),
      change(partial('1', '{"id":1,"a":"older"}')),
      change(partial('1', '{"id":1,"b":2}')),
      change(partial('1', '{"id":1,"a":"newer"}')),
      mark('c1', 'end'),
    );
    const read = row('1', 'c', '{"id":1,"a":"read","b":0,"large":"x"}');
    expect(window.settle(chunk([read]))).toEqual({
      kind: 'rows',
      rows: [row('1', 'c', '{"id":1,"a":"newer","b":2,"large":"x"}')],
    });
  });

  test('leaves out a row once the log has all of it, or it has got its key or lost it meanwhile', () => {
    const window = createChunkWindow(none.underWay);
    seeAll(
      window,
      mark('c1', 'begin'),
      change(row('whole', 'c', '{"a":1}')),
      change(partial('whole', '{"b":1}')),
      change(partial('moved in', '{"a":1}', 'other')),
      change(partial('moved in', '{"a":2}')),
      change(partial('deleted', '{"a":1}')),
      change(row('deleted', 'c', null)),
      change({ kind: 'unreadable', collection: 'c', upstreamId: 'unreadable', reason: '…' }),
      mark('c1', 'end'),
    );
    const rows = ['whole', 'moved in', 'deleted', 'unreadable'].map((id) => row(id));
    expect(window.settle(chunk(rows))).toEqual({ kind: 'rows', rows: [] });
  });

  test('leaves out all rows of a table that was emptied meanwhile', () => {
    const window = createChunkWindow(none.underWay);
    const truncated: Change = { kind: 'truncate', collection: 'c' };
    seeAll(window, mark('c1', 'begin'), change(truncated), mark('c1', 'end'));
    expect(window.settle(chunk([row('1')]))).toEqual({ kind: 'rows', rows: [] });
    seeAll(window, mark('c2', 'begin'), mark('c2', 'end'));
    expect(window.settle(chunk([row('1')]))).toEqual({ kind: 'rows', rows: [row('1')] });
  });

  test('waits for what was under way when it was opened, unless the log shows it later', () => {
    const window = createChunkWindow(new Set([7, 8, 9]));
    seeAll(window, mark('c1', 'begin'), transaction(8), mark('c1', 'end'));
    expect(window.settle(chunk([], '7:10:7,9'))).toEqual({ kind: 'again', waitsFor: [7, 9] });
    seeAll(window, mark('c1', 'begin'), mark('c1', 'end'));
    expect(window.settle(chunk([], '9:10:9'))).toEqual({ kind: 'again', waitsFor: [9] });
    seeAll(window, mark('c1', 'begin'), mark('c1', 'end'));
    expect(window.settle(chunk([], '10:10:'))).toEqual({ kind: 'rows', rows: [] });
  });

  test('a transaction between the marks of one chunk is before the next one', () => {
    const window = createChunkWindow(none.underWay);
    seeAll(window, mark('c1', 'begin'), transaction(7), change(row('1')), mark('c1', 'end'));
    expect(window.settle(chunk([row('1')], '7:10:7'))).toEqual({ kind: 'rows', rows: [] });
    seeAll(window, mark('c2', 'begin'), mark('c2', 'end'));
    expect(window.settle(chunk([row('1')], '7:10:7'))).toEqual({ kind: 'again', waitsFor: [7] });
  });

  test('the end of a chunk whose beginning was not seen, and other messages, mean nothing', () => {
    const window = createChunkWindow(none.underWay);
    const other: LogItem = { kind: 'mark', lsn: 0n, content: '{"chunk":1}' };
    expect(
      seeAll(window, mark('c1', 'end'), mark('c1', 'begin'), mark('c0', 'end'), other),
    ).toEqual([null, null, null, null]);
  });

  test('ids of transactions go round after 32 bits', () => {
    const visibility = parseSnapshot('4294967290:4294967300:4294967295,4294967298');
    expect(
      [4_294_967_289, 4_294_967_294, 0, 1, 3].map((xid) => isVisible(visibility, xid)),
    ).toEqual([true, true, true, true, true]);
    expect([4_294_967_295, 2, 4, 5].map((xid) => isVisible(visibility, xid))).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(() => parseSnapshot('1:2')).toThrow('1:2 is not a snapshot');
  });
});

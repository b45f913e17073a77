import { expect, test } from 'vitest';

import type { Db, Query } from '../../src/db/db.ts';
import { newId } from '../../src/db/ids.ts';
import { createPasses, type Passes } from '../../src/streams/passes.ts';
import { createRecordAppend } from '../../src/streams/recordAppend.ts';
import { aChange, openStreams, type Streams } from '../support/streams.ts';

const OF = { syncId: 'sync', collectionId: 'stripe:customer' };
const named = (n: number): string => `r${String(n).padStart(4, '0')}`;
const SMALL = { surveyed: 7, part: 4, partBytes: 10 };

/** Appends the records 0 to `count` - 1, which then are equal to what this appends again. */
async function fill({ appender }: Streams, count: number): Promise<void> {
  await appender.records(
    Array.from({ length: count }, (_, n) => aChange({ upstreamId: named(n) })),
  );
}

async function begin(passes: Passes): Promise<string> {
  return (await passes.begin({ id: newId(), ...OF })).id;
}

/** The ids of the records that are not deleted. */
async function liveIn({ db }: Streams): Promise<string[]> {
  const { rows } = await db.query<{ upstream_id: string }>(
    'select upstream_id from records where not deleted order by upstream_id',
  );
  return rows.map((row) => row.upstream_id);
}

/** The store of passes on a database on which something happens before the transaction with this number. */
function interrupted(db: Db, at: number, happens: () => Promise<void>): Passes {
  let count = 0;
  const transaction: Db['transaction'] = async (work) => {
    count += 1;
    if (count === at) await happens();
    return db.transaction(work);
  };
  return createPasses({ db: { ...db, transaction }, limits: SMALL });
}

test('records that did not come in a completed pass are deleted as any other, and equal ones count as seen', async () => {
  await using streams = await openStreams();
  const reported: number[] = [];
  const passes = createPasses({ db: streams.db, onDeleted: (count) => reported.push(count) });
  await fill(streams, 10);
  await streams.appender.records([aChange({ collectionId: 'other:one', upstreamId: 'x' })]);
  const passId = await begin(passes);
  const came = Array.from({ length: 9 }, (_, n) =>
    aChange({ upstreamId: named(n), passId, ...(n === 0 ? { data: '{"n":2}' } : {}) }),
  );
  expect(await streams.appender.records(came)).toMatchObject({ updated: 1, unchanged: 8 });
  expect(await passes.complete(passId, false)).toEqual({ deleted: 1, seen: 9 });
  expect(reported).toEqual([1]);
  expect(await liveIn(streams)).toEqual([...Array.from({ length: 9 }, (_, n) => named(n)), 'x']);
  const { rows } = await streams.db.query(
    `select event, data, changes, position = (select max(position) from events) as last
       from events where upstream_id = '${named(9)}' order by position desc limit 1`,
  );
  expect(rows).toEqual([{ event: 'deleted', data: '{"n":1}', changes: null, last: true }]);
});

test('a pass that is not completed deletes nothing, and a completed one answers the same again', async () => {
  await using streams = await openStreams();
  const passes = createPasses({ db: streams.db });
  await fill(streams, 5);
  const passId = await begin(passes);
  await streams.appender.records([aChange({ upstreamId: named(0), passId })]);
  expect(await liveIn(streams)).toHaveLength(5);
  expect(await passes.complete(passId, true)).toEqual({ deleted: 4, seen: 1 });
  await fill(streams, 5);
  expect(await passes.complete(passId, false)).toEqual({ deleted: 4, seen: 1 });
  expect(await passes.get(passId)).toMatchObject({ status: 'completed', deleted: 4, seen: 1 });
  expect(await liveIn(streams)).toHaveLength(5);
  const { rows } = await streams.db.query('select from pass_seen');
  expect(rows).toHaveLength(0);
});

test('more than a fifth is deleted only when that is confirmed; exactly a fifth needs no confirmation', async () => {
  await using streams = await openStreams();
  const passes = createPasses({ db: streams.db });
  await fill(streams, 10);
  const first = await begin(passes);
  const came = Array.from({ length: 7 }, (_, n) =>
    aChange({ upstreamId: named(n), passId: first }),
  );
  await streams.appender.records(came);
  await expect(passes.complete(first, false)).rejects.toMatchObject({
    options: { status: 409, code: 'too_many_deletes', extra: { count: 3, records: 10 } },
  });
  expect(await liveIn(streams)).toHaveLength(10);
  await streams.appender.records([aChange({ upstreamId: named(7), passId: first })]);
  expect(await passes.complete(first, false)).toEqual({ deleted: 2, seen: 8 });
  const second = await begin(passes);
  expect(await passes.complete(second, true)).toEqual({ deleted: 8, seen: 0 });
});

test('what anyone writes after the pass began is not deleted, with or without the pass', async () => {
  await using streams = await openStreams();
  const passes = createPasses({ db: streams.db });
  await fill(streams, 4);
  const passId = await begin(passes);
  await streams.appender.records([
    aChange({ upstreamId: 'new' }),
    aChange({ upstreamId: named(0), data: '{"n":2}' }),
    aChange({ upstreamId: named(1), data: '{"m":1}', merge: true }),
    aChange({ upstreamId: named(2) }), // is equal and writes nothing, so that nothing says that it came
  ]);
  expect(await passes.complete(passId, true)).toEqual({ deleted: 2, seen: 3 });
  expect(await liveIn(streams)).toEqual(['new', named(0), named(1)]);
});

test('the later start wins: an earlier pass is refused and deletes nothing, and its records still append', async () => {
  await using streams = await openStreams();
  const passes = createPasses({ db: streams.db });
  await fill(streams, 5);
  const earlier = await begin(passes);
  await streams.appender.records([aChange({ upstreamId: named(0), passId: earlier })]);
  const later = await begin(passes);
  await expect(passes.complete(earlier, true)).rejects.toMatchObject({
    options: { status: 409, code: 'pass_superseded' },
  });
  expect(
    await streams.appender.records([
      aChange({ upstreamId: named(1), passId: earlier }),
      aChange({ upstreamId: named(2), data: '{"n":2}', passId: earlier }),
    ]),
  ).toMatchObject({ unchanged: 1, updated: 1 });
  // Only what was written is newer than the later pass; what the earlier one saw may be older.
  expect(await passes.complete(later, true)).toEqual({ deleted: 4, seen: 1 });
  expect(await liveIn(streams)).toEqual([named(2)]);
  expect(await passes.get(earlier)).toMatchObject({ status: 'superseded', deleted: 0, seen: null });
});

test('passes of other collections and syncs do not end each other', async () => {
  await using streams = await openStreams();
  const passes = createPasses({ db: streams.db });
  const ids = await Promise.all([
    begin(passes),
    passes.begin({ id: newId(), ...OF, syncId: 'other' }).then(({ id }) => id),
    passes.begin({ id: newId(), ...OF, collectionId: 'a:b' }).then(({ id }) => id),
  ]);
  for (const id of ids) expect(await passes.complete(id, false)).toEqual({ deleted: 0, seen: 0 });
});

test('a start that is repeated with the same id returns its pass and ends none', async () => {
  await using streams = await openStreams();
  const passes = createPasses({ db: streams.db });
  const id = newId();
  const first = await passes.begin({ id, ...OF });
  expect(await passes.begin({ id, ...OF })).toEqual(first);
  const later = await begin(passes);
  expect(await passes.begin({ id, ...OF })).toMatchObject({ id, status: 'superseded' });
  expect(await passes.get(later)).toMatchObject({ status: 'running' });
});

test('of passes that begin at the same time, one is left', async () => {
  await using streams = await openStreams();
  const passes = createPasses({ db: streams.db });
  const ids = await Promise.all(Array.from({ length: 8 }, () => begin(passes)));
  const found = await Promise.all(ids.map((id) => passes.get(id)));
  const running = found.filter((pass) => pass?.status === 'running');
  const ended = found.filter((pass) => pass?.status === 'superseded');
  expect([running.length, ended.length]).toEqual([1, 7]);
});

test.each([2, 3, 4, 5, 6, 7])(
  'a completion that breaks off before its transaction %i goes on when it is called again, and spares what came meanwhile',
  async (at) => {
    await using streams = await openStreams();
    const { db, appender } = streams;
    await fill(streams, 20);
    const passes = createPasses({ db, limits: SMALL });
    const passId = await begin(passes);
    const broken = interrupted(db, at, () => Promise.reject(new Error('the process dies')));
    await expect(broken.complete(passId, true)).rejects.toThrow('the process dies');
    const left = await liveIn(streams);
    await appender.records([
      aChange({ upstreamId: named(18), passId }),
      aChange({ upstreamId: named(19), data: '{"n":2}' }),
    ]);
    const confirmed = at === 2; // nothing was begun yet
    const completed = await passes.complete(passId, confirmed);
    expect(completed).toEqual({ deleted: 18, seen: 2 });
    expect(left.length).toBeGreaterThan(2);
    expect(await liveIn(streams)).toEqual([named(18), named(19)]);
    const { rows } = await db.query(`select from events where event = 'deleted'`);
    expect(rows).toHaveLength(18);
  },
);

test('what is seen or written between the survey and the deletion is spared', async () => {
  await using streams = await openStreams();
  const { db, appender } = streams;
  await fill(streams, 6);
  const passId = await begin(createPasses({ db }));
  const racing = interrupted(db, 3, async () => {
    await appender.records([
      aChange({ upstreamId: named(0), passId }),
      aChange({ upstreamId: named(1), data: '{"n":2}' }),
    ]);
  });
  expect(await racing.complete(passId, true)).toEqual({ deleted: 4, seen: 2 });
  expect(await liveIn(streams)).toEqual([named(0), named(1)]);
});

test('a pass that is superseded while it deletes stops there', async () => {
  await using streams = await openStreams();
  const { db } = streams;
  await fill(streams, 20);
  const passId = await begin(createPasses({ db }));
  const racing = interrupted(db, 4, async () => void (await begin(createPasses({ db }))));
  await expect(racing.complete(passId, true)).rejects.toMatchObject({
    options: { code: 'pass_superseded' },
  });
  const { deleted = 0 } = (await racing.get(passId)) ?? {};
  expect(deleted).toBeGreaterThan(0);
  expect(await liveIn(streams)).toHaveLength(20 - deleted);
});

test('a pass that ends while another call surveys it is not taken to have seen nothing', async () => {
  await using streams = await openStreams();
  const { db } = streams;
  await fill(streams, 4);
  const passes = createPasses({ db });
  const first = await begin(passes);
  const superseding = interrupted(db, 1, async () => void (await begin(passes)));
  await expect(superseding.complete(first, false)).rejects.toMatchObject({
    options: { code: 'pass_superseded' },
  });
  const second = await begin(passes);
  await streams.appender.records([aChange({ upstreamId: named(0), passId: second })]);
  const completing = interrupted(db, 1, async () => void (await passes.complete(second, true)));
  expect(await completing.complete(second, false)).toEqual({ deleted: 3, seen: 1 });
});

test('when two processes complete one pass, both answer the same and each record is deleted once', async () => {
  await using streams = await openStreams();
  await fill(streams, 30);
  const passes = createPasses({ db: streams.db, limits: SMALL });
  const passId = await begin(passes);
  const both = await Promise.all([passes.complete(passId, true), passes.complete(passId, true)]);
  expect(both).toEqual([
    { deleted: 30, seen: 0 },
    { deleted: 30, seen: 0 },
  ]);
  const { rows } = await streams.db.query(`select from events where event = 'deleted'`);
  expect(rows).toHaveLength(30);
});

test('a record that comes while its pass is being completed is there in the end', async () => {
  await using streams = await openStreams();
  const { appender, db } = streams;
  await fill(streams, 200);
  const passes = createPasses({ db, limits: SMALL });
  const passId = await begin(passes);
  const late = Array.from({ length: 40 }, (_, n) =>
    appender.records(
      Array.from({ length: 5 }, (_, i) => aChange({ upstreamId: named(5 * n + i), passId })),
    ),
  );
  await Promise.all([passes.complete(passId, true), ...late]);
  expect(await liveIn(streams)).toHaveLength(200);
});

test('a deletion that comes in a pass, or a tombstone that comes again, is not seen', async () => {
  await using streams = await openStreams();
  const passes = createPasses({ db: streams.db });
  await fill(streams, 3);
  const gone = { data: null, deleted: true };
  await streams.appender.records([aChange({ upstreamId: named(0), ...gone })]);
  const passId = await begin(passes);
  await streams.appender.records([
    aChange({ upstreamId: named(0), ...gone, passId }),
    aChange({ upstreamId: named(1), ...gone, passId }),
    aChange({ upstreamId: named(2), passId }),
  ]);
  expect(await passes.complete(passId, false)).toEqual({ deleted: 0, seen: 1 });
});

test('a partition that is missing is created when a pass deletes', async () => {
  await using streams = await openStreams();
  const passes = createPasses({ db: streams.db });
  await fill(streams, 2);
  const passId = await begin(passes);
  await streams.db.query(`update streams set last_position = 99999999 where name = 'events'`);
  expect(await passes.complete(passId, true)).toEqual({ deleted: 2, seen: 0 });
});

test('an append without a pass and a checkpoint runs the same statements as if there were none', async () => {
  await using streams = await openStreams();
  const { pipe } = streams.db;
  const names: (string | undefined)[][] = [];
  const note = (queries: Query[]): Query[] => {
    names.push(queries.map(({ name }) => name));
    return queries;
  };
  const append = createRecordAppend({
    pipe: {
      ...pipe,
      exchange: (first, next) => pipe.exchange(note(first), (results) => note(next(results))),
    },
    doubt: { doubtMs: 1_000, retryMs: 10, signal: new AbortController().signal },
  });
  const passId = await begin(createPasses({ db: streams.db }));
  await append([{ changes: [aChange()] }]);
  await append([{ changes: [aChange()] }]);
  await append([{ changes: [aChange({ data: '{"m":1}', merge: true })] }]);
  const plain = ['lock-records', 'select-records'];
  const writes = ['upsert-records', 'insert-events'];
  expect(names).toEqual([plain, writes, plain, [], plain, writes]);
  names.length = 0;
  const changes = [aChange({ data: '{"n":1,"m":1}', passId }), aChange({ upstreamId: 'b' })];
  await append([{ changes }]);
  const withPass = ['lock-records', 'select-records-with-positions', 'select-passes-of'];
  expect(names).toEqual([withPass, [...writes, 'insert-pass-seen']]);
  names.length = 0;
  await append([{ changes: [], checkpoints: [{ source: 's', key: 'k', value: '1' }] }]);
  expect(names).toEqual([plain, ['upsert-checkpoints']]);
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { Query, Sql } from '../../src/db/db.ts';
import type { Entry, PageRequest } from '../../src/streams/entry.ts';
import type { OlderRequest } from '../../src/streams/older.ts';
import { createPages } from '../../src/streams/pages.ts';
import { EVERYTHING, aChange, anEvent, openStreams, type Streams } from '../support/streams.ts';
const ROWS = 300_000;
/** For reading all rows with nothing else, on an idle machine at most. */
const BARE_MS = 200;
const PAGE = { stream: 'events' as const, limit: 500, maxBytes: 4e6, scanRows: 20_000 };

let streams: Streams;

beforeAll(async () => {
  streams = await openStreams();
  await streams.db.transaction(async (tx) => {
    await tx.query(`set local synchronous_commit = off`);
    await tx.query(`
      insert into events
      select n, 'evt_' || n, (array['created', 'updated', 'deleted'])[1 + n % 3],
             'sync-' || n % 10000, case n % 1000 when 7 then 'rare:thing' else 'stripe:customer' end,
             'cus_' || n % 5000, '{"n":' || n || '}', null, 100, null,
             timestamptz '2026-11-01' + n * interval '1 second'
        from generate_series(2, ${ROWS} * 2, 2) n -- every other position is a gap`);
    await tx.query(`update streams set last_position = ${ROWS * 2 + 1} where name = 'events'`);
  });
  await streams.db.query('analyze events');
});

afterAll(() => streams[Symbol.asyncDispose]());

async function readAll(request: Omit<PageRequest, 'after'>) {
  const entries: Entry[] = [];
  let pages = 0;
  for (let after = 0, last = -1; after !== last; pages++) {
    const page = await streams.pages.read({ ...request, after });
    expect(page.scannedTo).toBeGreaterThanOrEqual(page.entries.at(-1)?.position ?? 0);
    expect(page.scannedTo).toBeGreaterThan(after);
    entries.push(...page.entries);
    after = page.scannedTo;
    last = page.last;
  }
  return { entries, pages };
}

const positions = (entries: Entry[]): number[] => entries.map(({ position }) => position);
const upTo = (keep: (n: number) => boolean): number[] =>
  Array.from({ length: ROWS }, (_, i) => (i + 1) * 2).filter(keep);
const syncs = (count: number, step = 1): string[] =>
  Array.from({ length: count }, (_, i) => `sync-${i * step}`);

describe('pages', () => {
  const filters: [string, Partial<PageRequest['filter']>, (n: number) => boolean][] = [
    [
      'a few syncs',
      { syncs: ['sync-4', 'sync-9998', 'sync-absent'] },
      (n) => [4, 9998].includes(n % 10000),
    ],
    ['many syncs', { syncs: syncs(1000, 2) }, (n) => n % 10000 < 2000],
    ['a collection', { collections: ['rare:thing', 'stripe:customer'] }, () => true],
    ['an event type', { event_types: ['deleted'] }, (n) => n % 3 === 2],
    [
      'all three',
      { syncs: syncs(100), collections: ['stripe:customer'], event_types: ['updated', 'created'] },
      (n) => n % 10000 < 100 && n % 3 !== 2,
    ],
    [
      'few syncs and a type',
      { syncs: ['sync-4', 'sync-10'], event_types: ['created'] },
      (n) => [4, 10].includes(n % 10000) && n % 3 === 0,
    ],
    ['an absent collection', { collections: ['no:thing'] }, () => false],
    ['nothing', { syncs: [] }, () => false],
  ];
  test.each(filters)('by %s hold every match once, in order', async (_, filter, keep) => {
    const { entries } = await readAll({ ...PAGE, filter: { ...EVERYTHING, ...filter } });
    expect(positions(entries)).toEqual(upTo((n) => keep(n)));
  });

  test('of a provider hold its collections and no others', async () => {
    const { entries } = await readAll({ ...PAGE, filter: EVERYTHING, provider: 'rare' });
    expect(entries).toHaveLength(0); // 7 is odd: a gap
    const { entries: all } = await readAll({
      ...PAGE,
      filter: EVERYTHING,
      provider: 'stripe',
      limit: 20_000,
    });
    expect(all).toHaveLength(ROWS);
    expect((await readAll({ ...PAGE, filter: EVERYTHING, provider: 'strip' })).entries).toEqual([]);
  });

  test('end at `until`, and say that they were scanned up to there', async () => {
    const page = await streams.pages.read({ ...PAGE, filter: EVERYTHING, after: 10, until: 15 });
    expect(positions(page.entries)).toEqual([12, 14]);
    expect(page).toMatchObject({ scannedTo: 15, last: ROWS * 2 + 1, first: 1 });
    const sparse = { ...EVERYTHING, collections: ['no:thing'] };
    const empty = await streams.pages.read({ ...PAGE, filter: sparse, after: 10, until: 15 });
    expect(empty).toMatchObject({ entries: [], scannedTo: 15 });
  });

  test('are bounded by the number of scanned rows where nothing matches', async () => {
    const filter = { ...EVERYTHING, collections: ['no:thing'] };
    const page = await streams.pages.read({ ...PAGE, filter, after: 0, scanRows: 1_000 });
    expect(page).toMatchObject({ entries: [], scannedTo: 2_000 });
  });

  test('are bounded by their size in bytes, but hold at least one entry', async () => {
    const read = (maxBytes: number) =>
      streams.pages.read({ ...PAGE, filter: EVERYTHING, after: 0, maxBytes });
    expect(positions((await read(1)).entries)).toEqual([2]);
    expect(await read(1)).toMatchObject({ scannedTo: 2 });
    expect(positions((await read(250)).entries)).toEqual([2, 4, 6]);
  });

  test('a consumer with a sparse filter catches up in well under two seconds, a few syncs by the index', async () => {
    const time = async (filter: Partial<PageRequest['filter']>): Promise<number> => {
      const started = performance.now();
      await readAll({ ...PAGE, filter: { ...EVERYTHING, ...filter } });
      return performance.now() - started;
    };
    const best = async (filter: Partial<PageRequest['filter']>): Promise<number> =>
      Math.min(await time(filter), await time(filter), await time(filter));
    // A machine that reads the bare table slowly has as much more time.
    const started = performance.now();
    await streams.db.query('select sum(length(data)) from events');
    const slower = Math.max(1, (performance.now() - started) / BARE_MS);
    expect(await best({ syncs: syncs(10, 2) })).toBeLessThan(300 * slower);
    expect(await best({ collections: ['no:thing'] })).toBeLessThan(1_500 * slower);
    expect(await planOf({ ...EVERYTHING, syncs: syncs(10, 2) }, 50)).toMatch(
      /Merge Append[^]*Index Scan using events_0_sync_id_position_idx/u,
    );
  });

  test('thousands of syncs are hashed, not compared one by one', async () => {
    const plan = await planOf({ ...EVERYTHING, syncs: syncs(5_000) });
    expect(plan).toMatch(/hashed SubPlan/u);
    expect(plan).toMatch(/Index Scan using events_0_pkey/u);
    expect(plan).not.toMatch(/Sort/u);
  });
});

describe('pages read backwards', () => {
  const BACK = { ...PAGE, before: Number.MAX_SAFE_INTEGER };

  async function readAllBack(filter: Partial<OlderRequest>): Promise<Entry[]> {
    const entries: Entry[] = [];
    for (let { before } = BACK, last = -1; before !== last;) {
      const page = await streams.pages.older({ ...BACK, limit: 20_000, ...filter, before });
      expect(page.reachedTo).toBeLessThan(page.entries.at(-1)?.position ?? before + 1);
      entries.push(...page.entries);
      last = before;
      before = page.reachedTo;
    }
    return entries;
  }

  test.each<[string, Partial<OlderRequest>, (n: number) => boolean]>([
    ['no filter', {}, () => true],
    ['a sync', { syncId: 'sync-4', limit: 7 }, (n) => n % 10000 === 4],
    ['a provider and a type', { provider: 'stripe', event: 'deleted' }, (n) => n % 3 === 2],
    [
      'a sync and a type',
      { syncId: 'sync-10', event: 'created' },
      (n) => n % 10000 === 10 && n % 3 === 0,
    ],
    ['the beginning of a provider', { provider: 'strip' }, () => false],
    ['an absent collection', { collectionId: 'no:thing' }, () => false],
  ])('with %s hold every match once, the newest first', async (_, filter, keep) => {
    expect(positions(await readAllBack(filter))).toEqual(upTo(keep).toReversed());
  });

  test('are bounded by rows looked at and by bytes, and end before the first entry that is kept', async () => {
    const { older } = streams.pages;
    const nothing = { ...BACK, collectionId: 'no:thing', scanRows: 1_000 };
    expect(await older(nothing)).toEqual({ entries: [], reachedTo: ROWS * 2 - 2_000 + 1 });
    const one = await older({ ...BACK, maxBytes: 1 });
    expect([positions(one.entries), one.reachedTo]).toEqual([[ROWS * 2], ROWS * 2 - 1]);
    const three = await older({ ...BACK, before: 100, maxBytes: 250 });
    expect([positions(three.entries), three.reachedTo]).toEqual([[100, 98, 96], 95]);
    const last = await older({ ...BACK, before: 5 });
    expect([positions(last.entries), last.reachedTo]).toEqual([[4, 2], 0]);
    expect(await older({ ...BACK, before: 0 })).toEqual({ entries: [], reachedTo: 0 });
  });
});

/** The plan of a page: the one that is kept where the statement is prepared. */
async function planOf(filter: PageRequest['filter'], limit = 500): Promise<string> {
  const queries: Query[] = [];
  const capture: Sql = {
    query: (query) => {
      queries.push(query as Query);
      return streams.db.query(query);
    },
  };
  await createPages(capture).read({ ...PAGE, filter, limit, after: 0 });
  const { text, values, name } = queries[0]!;
  const mode = name === undefined ? 'force_custom_plan' : 'force_generic_plan';
  return streams.db.transaction(async (tx) => {
    await tx.query(`set local plan_cache_mode = ${mode}`);
    await tx.query(`prepare page as ${text}`);
    const literals = values!.map((value) => `'${String(value)}'`).join(', ');
    const { rows } = await tx.query<{ 'QUERY PLAN': string }>(`explain execute page(${literals})`);
    await tx.query('deallocate page');
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  });
}

test('the first match is found, or known not to exist', async () => {
  const first = (filter: Partial<PageRequest['filter']>, after: number, until: number) =>
    streams.pages.first('events', after, { ...EVERYTHING, ...filter }, until);
  expect(await first({}, 0, 1)).toBeNull();
  expect(await first({}, 0, 10)).toBe(2);
  expect(await first({ syncs: ['sync-4'] }, 4, 20_000)).toBe(10_004);
  expect(await first({ syncs: ['sync-4'] }, 4, 10_003)).toBeNull();
  expect(await first({ syncs: syncs(40, 250) }, 7_000, ROWS)).toBe(7_250);
  expect(await first({ collections: ['no:thing'] }, 0, ROWS * 2)).toBeNull();
});

test('a time becomes the position before the first entry at or after it', async () => {
  const at = (time: string) => streams.pages.positionAtTime('events', time);
  const { entries } = await streams.pages.read({
    ...PAGE,
    filter: EVERYTHING,
    after: await at('2026-11-01T00:16:40Z'),
    limit: 1,
  });
  expect(entries[0]).toMatchObject({ position: 1_000, at: '2026-11-01T00:16:40Z' });
  expect(await at('2026-11-01T00:16:40.000001Z')).toBe(1_000);
  expect(await at('2020-01-01T00:00:00Z')).toBe(0);
  expect(await at('2030-01-01T00:00:00Z')).toBeGreaterThanOrEqual(ROWS * 2);
});

test('bodies are the stored text with the fields of the API, in order', async () => {
  await using small = await openStreams();
  const odd = { syncId: 'a "b" \\ é', collectionId: 'x:\u2028', upstreamId: '\t' };
  const data = '{"n":9007199254740993,"s":"\\u0000 é"}';
  await small.appender.records([
    aChange({ ...odd, data, upstreamUpdatedAt: '2026-01-01T00:00:00+01:00' }),
  ]);
  await small.appender.events([anEvent({ eventId: 'my-id', data: '[1]', changes: '{"a":1.50}' })]);
  const record = (await small.pages.entryAt('records', 1))!;
  const event = (await small.pages.entryAt('events', 1))!;
  const direct = (await small.pages.entryAt('events', 2))!;
  expect(record.body).toBe(
    `{"record":{"sync_id":"a \\"b\\" \\\\ é","collection_id":"x:\u2028","upstream_id":"\\t","version_id":"${record.messageId}","updated_idx":1,"data":${data},"deleted":false,"upstream_created_at":null,"upstream_updated_at":"2025-12-31T23:00:00Z","created_at":"${record.at}","updated_at":"${record.at}"}}`,
  );
  expect(event.body).toBe(
    `{"event":{"event_id":"${event.messageId}","event":"created","sync_id":"a \\"b\\" \\\\ é","collection_id":"x:\u2028","upstream_id":"\\t","data":${data},"changes":null,"upstream_updated_at":"2025-12-31T23:00:00Z","event_inserted_at":"${event.at}","position":1}}`,
  );
  expect(direct.body).toContain('"event_id":"my-id"');
  expect(direct.body).toContain('"data":[1],"changes":{"a":1.50}');
  expect(event).toMatchObject({ ...odd, position: 1, event: 'created' });
  expect(record).toMatchObject({ ...odd, position: 1, event: null });
  expect(await small.pages.keys('events', 1, 10)).toEqual([
    { position: 2, syncId: 'sync', collectionId: 'stripe:customer', event: 'created' },
  ]);
  const keys = await small.pages.keys('records', 0, 10);
  expect(keys).toEqual([
    { position: 1, syncId: odd.syncId, collectionId: odd.collectionId, event: null },
  ]);
  const filter = {
    syncs: [odd.syncId, ...syncs(40)],
    collections: [odd.collectionId],
    event_types: ['*'],
  };
  const page = await small.pages.read({ ...PAGE, stream: 'records', filter, after: 0 });
  expect(page.entries).toEqual([record]);
  expect(await small.pages.entryAt('events', 3)).toBeNull();
});

import { expect, test } from 'vitest';

import { createSyncs } from '../../src/streams/syncs.ts';
import { aChange, anEvent, openStreams, type Streams } from '../support/streams.ts';

interface List {
  data: Record<string, unknown>[];
  next_cursor: string | null;
}

async function get(streams: Streams, path: string): Promise<List> {
  const response = await streams.app.request(path);
  expect(response.status).toBe(200);
  return (await response.json()) as List;
}

function put(streams: Streams, syncId: string, body: object): Promise<Response> {
  return Promise.resolve(
    streams.app.request(`/v1/syncs/${encodeURIComponent(syncId)}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  );
}

test('syncs and collections are listed newest first, with exact counts', async () => {
  await using streams = await openStreams();
  await streams.appender.records([
    aChange({ syncId: 'one', upstreamId: 'a' }),
    aChange({ syncId: 'one', upstreamId: 'b' }),
    aChange({ syncId: 'one', upstreamId: 'a', data: '2' }),
  ]);
  await streams.appender.events([anEvent({ syncId: 'two', collectionId: 'Hub.Spot:Deals' })]);
  const { data } = await get(streams, '/v1/syncs');
  expect(data).toMatchObject([
    { sync_id: 'two', name: null, metadata: {}, events: 1, records: 0 },
    { sync_id: 'one', name: null, metadata: {}, events: 3, records: 2 },
  ]);
  expect(Object.keys(data[0]!)).toEqual([
    'sync_id',
    'name',
    'metadata',
    'events',
    'records',
    'last_at',
  ]);
  const one = await get(streams, '/v1/collections?sync_id=two');
  expect(one.data).toMatchObject([
    {
      sync_id: 'two',
      collection_id: 'Hub.Spot:Deals',
      provider: 'Hub.Spot',
      events: 1,
      records: 0,
    },
  ]);
  expect((await get(streams, '/v1/collections')).data).toHaveLength(2);
});

test('each event is counted once, however many processes count at the same time while others append', async () => {
  await using streams = await openStreams();
  const syncs = createSyncs(streams.db);
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    for (let n = 0; n < 25; n++) {
      await streams.appender.events([anEvent({ syncId: `s${writer % 3}` })]);
      if (n % 5 === 0) await Promise.all([syncs.rollUp(), syncs.rollUp()]);
    }
  });
  await Promise.all(writers);
  await syncs.rollUp();
  const { data } = await syncs.list({ limit: 10, after: null });
  const counts = Object.fromEntries(data.map((sync) => [sync.sync_id, sync.events]));
  expect(counts).toEqual({ s0: 75, s1: 75, s2: 50 });
});

test('each record is counted once, however often it changes and however many processes count at the same time', async () => {
  await using streams = await openStreams();
  const syncs = createSyncs(streams.db);
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    for (let n = 0; n < 25; n++) {
      const change = (record: number) =>
        aChange({ syncId: `s${writer % 3}`, upstreamId: `${writer} ${record}`, data: `${n}` });
      await streams.appender.records([change(n), change(n >> 1)]);
      if (n % 5 === 0) await Promise.all([syncs.rollUp(), syncs.rollUp()]);
    }
  });
  await Promise.all(writers);
  await syncs.rollUp();
  const of = ({ sync_id, records }: { sync_id: string; records: number }) => [sync_id, records];
  const { data } = await syncs.list({ limit: 10, after: null });
  const counts = { s0: 75, s1: 75, s2: 50 };
  expect(Object.fromEntries(data.map(of))).toEqual(counts);
  const collections = await syncs.collections({ syncId: null, limit: 10, after: null });
  expect(Object.fromEntries(collections.data.map(of))).toEqual(counts);
});

test('records are counted exactly even if the clock stands still, so that all have the same time', async () => {
  await using streams = await openStreams();
  const syncs = createSyncs(streams.db);
  const append = (...ids: string[]) =>
    streams.appender.records(
      ids.map((upstreamId) => aChange({ syncId: 's', upstreamId, data: `"${ids.join(' ')}"` })),
    );
  const count = async (): Promise<number | undefined> => {
    await syncs.rollUp();
    return (await syncs.list({ limit: 10, after: null })).data[0]?.records;
  };
  await append('before');
  expect(await count()).toBe(1);
  // Times never go back within a stream: until the clock has come to this one, it is that of all.
  await streams.db.query(`update streams set last_at = now() + interval '1 hour'`);
  await append('a');
  expect(await count()).toBe(2);
  await append('a', 'b');
  expect(await count()).toBe(3);
  await append('before', 'a', 'c');
  expect(await count()).toBe(4);
  expect(await count()).toBe(4);
});

test('pages of a list follow each other by cursor and end', async () => {
  await using streams = await openStreams();
  const events = Array.from({ length: 7 }, (_, n) => anEvent({ syncId: `s${n}` }));
  await streams.appender.events(events); // all of one time
  await put(streams, 'never-seen', { name: 'Later' });
  const seen: unknown[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = await get(streams, `/v1/syncs?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`);
    seen.push(...page.data.map((sync) => sync['sync_id']));
    cursor = page.next_cursor;
  }
  expect(seen).toEqual(['s6', 's5', 's4', 's3', 's2', 's1', 's0', 'never-seen']);
  const collections: unknown[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = await get(
      streams,
      `/v1/collections?limit=4${cursor === '' ? '' : `&cursor=${cursor}`}`,
    );
    collections.push(...page.data.map((one) => one['sync_id']));
    cursor = page.next_cursor;
  }
  expect(collections).toEqual(['s6', 's5', 's4', 's3', 's2', 's1', 's0']);
  for (const cursor of ['nonsense', Buffer.from('["2026","a"]').toString('base64url')]) {
    expect((await streams.app.request(`/v1/syncs?cursor=${cursor}`)).status).toBe(400);
  }
});

test('a sync can be named, and fields that are left out are kept', async () => {
  await using streams = await openStreams();
  await streams.appender.events([anEvent({ syncId: 'a/b é' })]);
  const named = await put(streams, 'a/b é', { name: 'My sync', metadata: { team: ['x'] } });
  expect(await named.json()).toMatchObject({ sync_id: 'a/b é', name: 'My sync', events: 1 });
  expect(await (await put(streams, 'a/b é', { metadata: {} })).json()).toMatchObject({
    name: 'My sync',
    metadata: {},
  });
  expect(await (await put(streams, 'a/b é', { name: null })).json()).toMatchObject({ name: null });
  expect((await put(streams, 'a', { nom: 'x' })).status).toBe(422);
  expect((await put(streams, 'a', { name: 'a\u0000' })).status).toBe(422);
  expect((await put(streams, 'a', { metadata: { deep: ['\u0000'] } })).status).toBe(422);
  expect((await put(streams, 'a', { metadata: { text: '\\u0000' } })).status).toBe(200);
});

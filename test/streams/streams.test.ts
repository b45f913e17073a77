import { afterAll, beforeAll, expect, test } from 'vitest';

import { CHANNELS } from '../../src/db/channels.ts';
import type { Query, Sql } from '../../src/db/db.ts';
import type { Listener } from '../../src/db/listener.ts';
import { cursorOf, openCursor } from '../../src/streams/cursor.ts';
import { createStreamEnds } from '../../src/streams/streamEnds.ts';
import { until } from '../support/poll.ts';
import { aChange, anEvent, openStreams, silent, type Streams } from '../support/streams.ts';

interface Body {
  events: Record<string, unknown>[];
  records: Record<string, unknown>[];
  cursor: string;
  code: string;
  oldest_cursor: string;
}

let streams: Streams;

beforeAll(async () => {
  streams = await openStreams();
  await streams.appender.records([
    aChange({ upstreamId: 'a', data: '{"n":9007199254740993}' }),
    aChange({ upstreamId: 'b', syncId: 'other' }),
    aChange({ upstreamId: 'c', collectionId: 'stripe2:charge' }),
    aChange({ upstreamId: 'a', data: null, deleted: true }),
  ]);
});

afterAll(() => streams[Symbol.asyncDispose]());

async function get(path: string, app = streams.app): Promise<[number, Body, string]> {
  const response = await app.request(path);
  const text = await response.text();
  return [response.status, JSON.parse(text) as Body, text];
}

const ids = (list: Record<string, unknown>[]): unknown[] => list.map((one) => one['upstream_id']);

test('the events stream has every change, the records stream the last version of each', async () => {
  const [, { events }] = await get('/v1/events');
  expect(events.map((one) => [one['upstream_id'], one['event'], one['position']])).toEqual([
    ['a', 'created', 1],
    ['b', 'created', 2],
    ['c', 'created', 3],
    ['a', 'deleted', 4],
  ]);
  const [, { records }, text] = await get('/v1/records');
  expect(records.map((one) => [one['upstream_id'], one['deleted'], one['updated_idx']])).toEqual([
    ['b', false, 1],
    ['c', false, 2],
    ['a', true, 3],
  ]);
  expect(text).toContain('"data":{"n":9007199254740993}');
});

test.each([
  ['sync_id=other', ['b']],
  ['provider=stripe', ['a', 'b', 'a']],
  ['provider=stripe2', ['c']],
  ['collection_id=stripe2:charge', ['c']],
  ['event=deleted', ['a']],
  ['sync_id=sync&event=created&provider=stripe', ['a']],
  ['sync_id=nobody', []],
])('%s reads the matching entries, and scans to the end', async (query, expected) => {
  const [status, { events, cursor }] = await get(`/v1/events?${query}`);
  expect([status, ids(events)]).toEqual([200, expected]);
  expect(openCursor(cursor, 'events')).toBe(4);
});

test('pages follow each other by cursor, and the last cursor stays where it is', async () => {
  const seen: unknown[] = [];
  let cursor = '';
  for (;;) {
    const [, page] = await get(
      `/v1/events?limit=3${cursor === '' ? '' : `&after_cursor=${cursor}`}`,
    );
    seen.push(...ids(page.events));
    if (page.cursor === cursor) break;
    cursor = page.cursor;
  }
  expect(seen).toEqual(['a', 'b', 'c', 'a']);
  const [, atEnd] = await get('/v1/events?after_cursor=end');
  expect(atEnd).toEqual({ events: [], cursor });
});

test('before_cursor reads backwards, the newest first, in pages that end before the first entry', async () => {
  const [, newest] = await get('/v1/events?before_cursor=end&limit=3');
  expect(newest.events.map((one) => one['position'])).toEqual([4, 3, 2]);
  const [, oldest] = await get(`/v1/events?before_cursor=${newest.cursor}&limit=3`);
  expect(oldest.events.map((one) => one['position'])).toEqual([1]);
  const [, nothing] = await get(`/v1/events?before_cursor=${oldest.cursor}`);
  expect(nothing).toEqual({ events: [], cursor: oldest.cursor });
  // The place after them, as `after_cursor` has it.
  const [, { cursor: second }] = await get('/v1/events?limit=2');
  const [, between] = await get(`/v1/events?before_cursor=${second}`);
  expect(between.events.map((one) => one['position'])).toEqual([2, 1]);
  const [, { records }, text] = await get('/v1/records?before_cursor=end');
  expect(records.map((one) => one['updated_idx'])).toEqual([3, 2, 1]);
  expect(text).toContain('"upstream_id":"a"');
});

test.each([
  ['sync_id=other', ['b']],
  ['provider=stripe', ['a', 'b', 'a']],
  ['collection_id=stripe2:charge', ['c']],
  ['event=created', ['c', 'b', 'a']],
  ['sync_id=sync&event=created&provider=stripe', ['a']],
  ['sync_id=nobody', []],
])('backwards, %s reads what matches', async (query, expected) => {
  const [status, { events, cursor }] = await get(`/v1/events?before_cursor=end&${query}`);
  expect([status, ids(events)]).toEqual([200, expected]);
  expect(openCursor(cursor, 'events')).toBe(0);
});

test('a single event is returned as it is in the stream, without a wrapper', async () => {
  const [, { events }] = await get('/v1/events?limit=1');
  expect((await get(`/v1/events/${String(events[0]!['event_id'])}`))[1]).toEqual(events[0]);
  const [status, body] = await get('/v1/events/unknown');
  expect([status, body.code]).toEqual([404, 'not_found']);
});

test.each([
  ['/v1/events?limit=0', 400],
  ['/v1/events?limit=1001', 400],
  ['/v1/events?limit=x', 400],
  ['/v1/events?wait_for=30001', 400],
  ['/v1/events?color=red', 400],
  ['/v1/records?event=created', 400],
  ['/v1/events?event=changed', 400],
  ['/v1/events?after_cursor=nonsense', 400],
  [`/v1/events?after_cursor=${cursorOf('records', 1)}`, 422],
  ['/v1/events?before_cursor=nonsense', 400],
  [`/v1/events?before_cursor=${cursorOf('records', 1)}`, 422],
  ['/v1/events?before_cursor=end&wait_for=100', 400],
  [`/v1/events?before_cursor=end&after_cursor=${cursorOf('events', 1)}`, 400],
])('%s is refused with %i', async (path, expected) => {
  const [status, body] = await get(path);
  expect([status, typeof body.code]).toEqual([expected, 'string']);
});

test('a cursor can be read only on its own stream, and not when it was changed', () => {
  for (const position of [0, 1, 1042, Number.MAX_SAFE_INTEGER]) {
    expect(openCursor(cursorOf('events', position), 'events')).toBe(position);
  }
  expect(() => openCursor(cursorOf('events', 5), 'records')).toThrow(/other stream/u);
  const text = Buffer.from(cursorOf('events', 5), 'base64url').toString();
  const forged = Buffer.from(text.replace('e5', 'e6')).toString('base64url');
  expect(() => openCursor(forged, 'events')).toThrow(/this API has not issued it/u);
});

test('a long poll answers as soon as a match is appended, and keeps waiting when other entries are', async () => {
  await using own = await openStreams();
  const started = performance.now();
  const waiting = get(
    `/v1/events?after_cursor=${cursorOf('events', 0)}&sync_id=mine&wait_for=20000`,
    own.app,
  );
  await own.appender.events([anEvent({ syncId: 'other' })]);
  await own.appender.events([anEvent({ syncId: 'mine' })]);
  const [, { events, cursor }] = await waiting;
  expect(events.map((one) => one['sync_id'])).toEqual(['mine']);
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(openCursor(cursor, 'events')).toBe(2);
});

test('a long poll without a match answers with an empty page after its time', async () => {
  const started = performance.now();
  const [, { events }] = await get('/v1/events?after_cursor=end&wait_for=200');
  expect(events).toEqual([]);
  expect(performance.now() - started).toBeGreaterThan(190);
});

test('a long poll ends when its client disconnects', async () => {
  const gone = new AbortController();
  const response = streams.app.request(
    new Request('http://localhost/v1/events?after_cursor=end&wait_for=30000', {
      signal: gone.signal,
    }),
  );
  gone.abort();
  expect((await response).status).toBe(200);
});

test('a hundred waiting requests cost no query each, and an append without a NOTIFY is found by a single poll', async () => {
  let queries = 0;
  const counted: Sql = {
    query: (query: Query | string) => {
      queries++;
      return streams.db.query(query);
    },
  };
  const deaf = { on: () => () => undefined }; // no NOTIFY ever
  const ends = createStreamEnds({ sql: counted, listener: deaf, log: silent });
  const { signal } = new AbortController();
  const { rows } = await streams.db.query<{ last: number }>(
    `select last_position as last from streams where name = 'events'`,
  );
  const last = rows[0]!.last;
  let arrived = 0;
  const began = performance.now();
  const waiting = Array.from({ length: 100 }, async () => {
    await ends.beyond('events', last, 20_000, signal);
    arrived++;
  });
  await until(() => queries >= 1);
  expect(arrived).toBe(0);
  await streams.appender.events([anEvent()]);
  await Promise.all(waiting);
  // one a second, whoever waits
  expect(queries).toBeLessThanOrEqual(2 + (performance.now() - began) / 1_000);
  ends.close();
});

test('a process listens to streams while a request waits and for a while afterwards, and then no longer', async () => {
  await using own = await openStreams();
  const { signal } = new AbortController();
  const listening = async () => {
    const { rows } = await own.db.query<{ query: string }>(
      `select query from pg_stat_activity
        where datname = current_database() and application_name = 'millrace listen'`,
    );
    return rows.map(({ query }) => query);
  };
  const heard: string[] = [];
  const listener: Pick<Listener, 'on'> = {
    on: (channel, hear) =>
      own.listener.on(channel, (payload) => {
        heard.push(channel);
        hear(payload);
      }),
  };
  const ends = createStreamEnds({ sql: own.db, listener, lingerMs: 20, log: silent });
  const waited = ends.beyond('events', 0, 60_000, signal);
  await until(() => heard.includes(CHANNELS.events));
  await own.appender.events([anEvent()]);
  expect(await waited).toBe(true);
  await until(async () => (await listening()).some((query) => query.startsWith('unlisten')));
  const before = heard.length;
  await own.appender.events([anEvent()]);
  // What came meanwhile is known to the next request that would wait.
  expect(await ends.beyond('events', 1, 60_000, signal)).toBe(true);
  await until(() => heard.length > before);
  expect(heard.length).toBeLessThanOrEqual(before + 2); // that listening has begun, for each stream
  ends.close();
});

test('a cursor older than the kept entries is 410 and the answer names the oldest; without a cursor the kept entries are read', async () => {
  await using own = await openStreams();
  await own.appender.events([anEvent(), anEvent(), anEvent()]);
  await own.db.query(`delete from events where position < 3`);
  await own.db.query(`update streams set first_position = 3 where name = 'events'`);
  const [status, body] = await get(`/v1/events?after_cursor=${cursorOf('events', 1)}`, own.app);
  expect([status, body.code]).toEqual([410, 'cursor_expired']);
  for (const path of ['/v1/events', `/v1/events?after_cursor=${body.oldest_cursor}`]) {
    const [, { events }] = await get(path, own.app);
    expect(events.map((one) => one['position'])).toEqual([3]);
  }
});

import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { createAdaptorServer } from '@hono/node-server';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { createOnError } from '../../src/api/errors.ts';
import { createListenRoutes } from '../../src/api/listen.ts';
import { createRoutes } from '../../src/api/route.ts';
import type { Sql } from '../../src/db/db.ts';
import { cursorOf } from '../../src/streams/cursor.ts';
import { createPages } from '../../src/streams/pages.ts';
import { createStreamEnds, type StreamEnds } from '../../src/streams/streamEnds.ts';
import { lastingPermit } from '../support/permit.ts';
import { until } from '../support/poll.ts';
import { anEvent, aChange, openStreams, silent, type Streams } from '../support/streams.ts';

let streams: Streams;
let ends: StreamEnds;
let server: Server;
let url: string;
/** Statements on the streams since the test began. */
let queries: string[];

beforeEach(async () => {
  streams = await openStreams();
  queries = [];
  const sql = counted(streams.db);
  ends = createStreamEnds({ sql: streams.db, listener: streams.listener, log: silent });
  const app = createRoutes();
  app.onError(createOnError(silent));
  app.use(lastingPermit);
  app.route('/', createListenRoutes({ pages: createPages(sql), ends, heartbeatMs: 50 }));
  server = createAdaptorServer({ fetch: app.fetch }) as Server;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/listen`;
});

afterEach(async () => {
  ends.close();
  server.close();
  server.closeAllConnections();
  await streams[Symbol.asyncDispose]();
});

function counted(sql: Sql): Sql {
  return {
    query: (config) => {
      queries.push(typeof config === 'string' ? config : config.text);
      return sql.query(config);
    },
  };
}

interface Listening extends AsyncDisposable {
  status: number;
  /** All that has come. */
  text(): string;
  /** Bodies of the entries that have come. */
  entries(): { event?: { upstream_id: string }; record?: { upstream_id: string } }[];
  ended: Promise<void>;
}

async function listen(query: string, headers: Record<string, string> = {}): Promise<Listening> {
  const leave = new AbortController();
  const response = await fetch(`${url}?${query}`, { headers, signal: leave.signal });
  let text = '';
  const ended = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body!) text += decoder.decode(chunk, { stream: true });
  })();
  ended.catch(() => undefined); // it was left
  return {
    status: response.status,
    text: () => text,
    entries: () =>
      [...text.matchAll(/^data: (.*)$/gmu)].map(([, body = '']) => JSON.parse(body) as never),
    ended,
    [Symbol.asyncDispose]: async () => {
      leave.abort();
      await ended.catch(() => undefined); // as asked
    },
  };
}

const names = (listening: Listening): (string | undefined)[] =>
  listening.entries().map((one) => (one.event ?? one.record)?.upstream_id);

test('a listener gets past and new entries, with the webhook body as data and the cursor as id', async () => {
  await streams.appender.events([anEvent({ upstreamId: 'a', data: '{"n":9007199254740993}' })]);
  await using listening = await listen('since=beginning');
  await until(() => listening.entries().length === 1);
  await streams.appender.events([anEvent({ upstreamId: 'b' })]);
  await until(() => listening.entries().length === 2);
  expect(names(listening)).toEqual(['a', 'b']);
  expect(listening.text()).toContain(
    `id: ${cursorOf('events', 2)}\nevent: entry\ndata: {"event":{`,
  );
  const entry = await streams.pages.entryAt('events', 1);
  expect(listening.text()).toContain(`\ndata: ${entry?.body}\n\n`);
  expect(entry?.body).toContain('9007199254740993');
});

test.each([
  ['', ['d']],
  ['since=end', ['d']],
  ['since=1h', ['a', 'b', 'c', 'd']],
  ['since=2099-01-01T00:00:00Z', ['d']],
  [`after_cursor=${cursorOf('events', 2)}`, ['c', 'd']],
  ['since=beginning&sync_id=one&sync_id=two', ['a', 'b', 'd']],
  ['since=beginning&collection_id=shop:order', ['c']],
  ['since=beginning&event=updated&event=deleted', ['b', 'd']],
])('a listener with %o starts there and gets all its filter passes', async (query, expected) => {
  await streams.appender.events([
    anEvent({ upstreamId: 'a', syncId: 'one' }),
    anEvent({ upstreamId: 'b', syncId: 'two', event: 'updated' }),
    anEvent({ upstreamId: 'c', collectionId: 'shop:order' }),
  ]);
  await using listening = await listen(query);
  await streams.appender.events([anEvent({ upstreamId: 'd', syncId: 'one', event: 'deleted' })]);
  const last = query.includes('shop') ? 'c' : 'd';
  await until(() => names(listening).includes(last));
  expect(names(listening)).toEqual(expected);
});

test('Last-Event-ID continues where the listener was, whatever the query says', async () => {
  await streams.appender.records([
    aChange({ upstreamId: 'a' }),
    aChange({ upstreamId: 'b' }),
    aChange({ upstreamId: 'c' }),
  ]);
  await using listening = await listen('stream=records&since=beginning', {
    'last-event-id': cursorOf('records', 1),
  });
  await until(() => listening.entries().length === 2);
  expect(names(listening)).toEqual(['b', 'c']);
});

test('entries that the filter excludes move the cursor as well', async () => {
  await streams.appender.events([anEvent(), anEvent(), anEvent()]);
  await using listening = await listen('since=beginning&sync_id=none');
  await until(() => listening.text().includes(`id: ${cursorOf('events', 3)}\n\n`));
  expect(listening.entries()).toEqual([]);
});

test('a listener without new entries gets heartbeats and costs no query', async () => {
  await streams.appender.events([anEvent()]);
  await using listening = await listen('since=beginning');
  await until(() => listening.text().split(': heartbeat').length > 3);
  expect(queries.filter((text) => text.includes('from streams'))).toHaveLength(2); // where it begins, one page
});

test('after a listener has left, nothing waits on its behalf', async () => {
  const waiting = { now: 0 };
  const { beyond } = ends;
  ends.beyond = async (...args) => {
    waiting.now += 1;
    return beyond(...args).finally(() => (waiting.now -= 1));
  };
  const listening = await listen('');
  await until(() => waiting.now === 1);
  await listening[Symbol.asyncDispose]();
  expect(await until(() => waiting.now === 0)).toBe(true);
});

test('nothing is read from Postgres for a listener that does not read', async () => {
  const big = JSON.stringify('x'.repeat(500_000));
  for (let round = 0; round < 8; round++) {
    await streams.appender.events(Array.from({ length: 10 }, () => anEvent({ data: big })));
  }
  const leave = new AbortController();
  const unread = await fetch(`${url}?since=beginning`, { signal: leave.signal });
  await using reading = await listen('since=beginning'); // as much time as the other would have had
  // Entries are counted once all may be there: that takes longer than reading them.
  const isThere = (): boolean => reading.text().length > 80 * big.length;
  await until(() => isThere() && reading.entries().length === 80, { timeoutMs: 60_000 });
  const pages = queries.filter((text) => text.includes('from streams')).length;
  expect(unread.status).toBe(200);
  expect(pages).toBeGreaterThan(27); // 80 entries of 0.5 MB by pages of 1 MiB
  expect(pages).toBeLessThan(27 + 20);
  leave.abort();
});

test('when the process is stopped, the answer ends between two frames', async () => {
  await streams.appender.events(Array.from({ length: 1_000 }, () => anEvent()));
  await using idle = await listen('since=beginning');
  await until(() => idle.entries().length === 1_000);
  ends.close();
  await idle.ended;
  expect(idle.text().endsWith('retry: 1000\n\n')).toBe(true);
});

test.each([
  ['after_cursor=rubbish', 400, 'invalid_cursor'],
  [`after_cursor=${cursorOf('records', 1)}`, 422, 'wrong_stream'],
  ['since=yesterday', 400, 'invalid_query'],
  ['since=1h&after_cursor=end', 400, 'invalid_query'],
  ['stream=records&event=created', 400, 'invalid_query'],
  ['collection_id=stripe', 400, 'invalid_query'],
  ['sync=a', 400, 'invalid_query'],
])('a listener with %s is refused with %i %s', async (query, status, code) => {
  const response = await fetch(`${url}?${query}`);
  expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
    status,
    code,
  ]);
});

test('a cursor older than the kept entries is 410 Gone', async () => {
  await streams.db.query(`update streams set first_position = 10, last_position = 20`);
  const response = await fetch(`${url}?after_cursor=${cursorOf('events', 3)}`);
  expect(response.status).toBe(410);
  expect(await response.json()).toMatchObject({
    code: 'cursor_expired',
    oldest_cursor: cursorOf('events', 9),
  });
});

// what lives longer than its request's first moment is judged again while it lives
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createApiKeys } from '../../src/access/apiKeys.ts';
import { createPermits, endOf, type Holder } from '../../src/access/permits.ts';
import { createSessions } from '../../src/access/sessions.ts';
import { createApiServer } from '../../src/api/server.ts';
import type { Sql } from '../../src/db/db.ts';
import { KEY, openOwnApp, type OwnApp } from '../support/app.ts';
import { until } from '../support/poll.ts';
import { watchSlowness } from '../support/slowness.ts';
import { silent } from '../support/streams.ts';

/** What operating.md promises, ms. */
const PROMISED_MS = 5_000;

let api: OwnApp;
/** Of this process and its Postgres. */
const slowness = () => watchSlowness(() => api.db.query('select'));
let consumerId: string;

beforeAll(async () => {
  api = await openOwnApp();
  const target = await api.request('POST', '/v1/targets', {
    name: 't',
    base_url: 'https://example.com',
  });
  const consumer = await api.request('POST', '/v1/consumers', {
    name: 'c',
    target_id: target.body.id,
    stream: 'events',
  });
  consumerId = consumer.body.id;
  const event = { sync_id: 's', collection_id: 'a:b', upstream_id: 'u', event: 'created' };
  await api.request('POST', '/v1/events', {
    events: [{ ...event, event_id: 'waited-for', data: 1 }],
  });
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

interface Made {
  id: string;
  headers: Record<string, string>;
}

async function makeKey(scopes = ['read']): Promise<Made> {
  const { body } = await api.request('POST', '/v1/api-keys', { name: 'k', scopes });
  return { id: body.id, headers: { authorization: `Bearer ${body.key}` } };
}

async function makeSession(apiKey = KEY): Promise<Record<string, string>> {
  const response = await api.app.request('/v1/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ api_key: apiKey }),
  });
  return {
    cookie: response.headers.get('set-cookie')!.split(';')[0]!,
    'sec-fetch-site': 'same-origin',
  };
}

async function sessionOfKey(): Promise<Made> {
  const key = await makeKey();
  const headers = await makeSession(key.headers['authorization']!.slice('Bearer '.length));
  return { id: key.id, headers };
}

const revoke = async ({ id }: Made): Promise<void> => {
  expect((await api.request('DELETE', `/v1/api-keys/${id}`)).status).toBe(204);
};
const signOut = async ({ headers }: Made): Promise<void> => {
  const response = await api.app.request('/v1/session', { method: 'DELETE', headers });
  expect(response.status).toBe(204);
};
const change =
  (set: string) =>
  async ({ id }: Made) => {
    await api.db.query({ text: `update api_keys set ${set} where id = $1`, values: [id] });
  };
const expire = change('expires_at = now()');
const narrow = change(`scopes = '{ingest}'`);
const timeOut = async ({ id }: Made): Promise<void> => {
  await api.db.query({
    text: 'update sessions set expires_at = now() where api_key_id = $1',
    values: [id],
  });
};

interface Listening extends AsyncDisposable {
  text(): string;
  ended: Promise<void>;
}

async function listen(headers: Record<string, string>): Promise<Listening> {
  const response = await api.app.request('/v1/listen?since=end', { headers });
  expect(response.status).toBe(200);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const ended = (async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
    }
  })();
  await until(() => text.includes('id: '));
  return {
    text: () => text,
    ended,
    [Symbol.asyncDispose]: () => reader.cancel(),
  };
}

function append(syncId: string): Promise<unknown> {
  const event = { sync_id: syncId, collection_id: 'a:b', upstream_id: 'u', event: 'created' };
  return api.request('POST', '/v1/events', { events: [{ ...event, data: 1 }] });
}

describe('an open listener', () => {
  test.each<[string, () => Promise<Made>, (made: Made) => Promise<void>, number, string]>([
    ['its key is revoked', makeKey, revoke, 401, 'key_revoked'],
    ['its key expires', makeKey, expire, 401, 'key_expired'],
    ['its key loses the scope', makeKey, narrow, 403, 'forbidden'],
    ['its session is signed out', sessionOfKey, signOut, 401, 'unauthorized'],
    ['its session ends', sessionOfKey, timeOut, 401, 'unauthorized'],
    ['the key of its session is revoked', sessionOfKey, revoke, 401, 'key_revoked'],
    ['the key of its session expires', sessionOfKey, expire, 401, 'key_expired'],
    ['the key of its session loses the scope', sessionOfKey, narrow, 403, 'forbidden'],
  ])('is told why and closed within 5 s when %s', async (_when, make, end, status, code) => {
    const made = await make();
    await using other = await listen((await makeKey()).headers);
    await using listening = await listen(made.headers);
    using slow = slowness();
    const before = performance.now();
    await end(made);
    await listening.ended;
    expect(performance.now() - before - slow.ms()).toBeLessThan(PROMISED_MS);
    const [, problem = ''] = /event: end\ndata: (.*)\n\n$/u.exec(listening.text()) ?? [];
    expect(JSON.parse(problem)).toMatchObject({ status, code });
    await append(code);
    await until(() => other.text().includes(`"sync_id":"${code}"`)); // the others go on
    expect(listening.text()).not.toContain(`"sync_id":"${code}"`);
  });

  test('that does not read is cut off within 5 s as well', async () => {
    const made = await makeKey();
    const server = createApiServer(api.app.fetch);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const big = 'x'.repeat(900_000);
    for (let part = 0; part < 30; part++) {
      const event = { sync_id: 's', collection_id: 'a:b', upstream_id: 'u', event: 'created' };
      await api.request('POST', '/v1/events', { events: [{ ...event, data: big }] });
    }
    const connected = once(server, 'connection') as Promise<[Socket]>;
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [served] = await connected;
    const closed = once(served, 'close');
    socket.write(
      `GET /v1/listen?since=beginning HTTP/1.1\r\nhost: a\r\nauthorization: ${made.headers['authorization']}\r\n\r\n`,
    );
    await until(() => served.bytesWritten > 0 && served.writableNeedDrain);
    using slow = slowness();
    const before = performance.now();
    await revoke(made);
    await closed;
    expect(performance.now() - before - slow.ms()).toBeLessThan(PROMISED_MS);
    socket.destroy();
    server.close();
  });

  test('of a session does not prolong it', async () => {
    const made = await sessionOfKey();
    const other = await makeKey();
    await using open = await listen(made.headers); // this request prolongs it
    await using judged = await listen(other.headers);
    const { rows: before } = await api.db.query({
      text: `
        update sessions set expires_at = now() + interval '1 hour' where api_key_id = $1
        returning expires_at`,
      values: [made.id],
    });
    await expire(other);
    await judged.ended; // all open answers have been judged by then
    const { rows: after } = await api.db.query({
      text: 'select expires_at from sessions where api_key_id = $1',
      values: [made.id],
    });
    expect(after).toEqual(before);
    expect(open.text()).not.toContain('event: end');
  });

  test('of the configured key stays open, and leaves nothing behind when it closes', async () => {
    const before = api.access.permits.size;
    const listening = await listen({ authorization: `Bearer ${KEY}` });
    expect(api.access.permits.size).toBe(before + 1);
    await listening[Symbol.asyncDispose]();
    await until(() => api.access.permits.size === before);
  });
});

describe('a long poll is answered as a new request would be when its key is revoked:', () => {
  test.each([
    '/v1/events?after_cursor=end',
    '/v1/records?after_cursor=end',
    '/v1/attempts?event_id=waited-for',
    '/v1/consumers/{id}/attempts?status=500',
  ])('GET %s', async (path) => {
    const made = await makeKey();
    const asked = path.replace('{id}', consumerId);
    const answer = api.app.request(`${asked}&wait_for=30000`, { headers: made.headers });
    await until(() => api.access.permits.size > 0);
    using slow = slowness();
    const before = performance.now();
    await revoke(made);
    const response = await answer;
    expect(performance.now() - before - slow.ms()).toBeLessThan(PROMISED_MS);
    expect([response.status, await response.json()]).toMatchObject([401, { code: 'key_revoked' }]);
  });
});

test('an upload of lines ends when its key is revoked, and says what is stored', async () => {
  const made = await makeKey(['ingest']);
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const answer = api.app.request('/v1/events', {
    method: 'POST',
    headers: { ...made.headers, 'content-type': 'application/x-ndjson' },
    body: readable,
    duplex: 'half',
  });
  const writer = writable.getWriter();
  const event = { sync_id: 'lines', collection_id: 'a:b', upstream_id: 'u', event: 'created' };
  const lines = `${JSON.stringify({ ...event, data: 1 })}\n`.repeat(500);
  await writer.write(new TextEncoder().encode(lines)); // one part, which is committed
  await until(async () => (await countOf('lines')) === 500);
  await revoke(made);
  const response = await answer;
  expect([response.status, await response.json()]).toMatchObject([
    401,
    { code: 'key_revoked', committed: 500 },
  ]);
  await writer.abort().catch(() => undefined); // the rest is dropped
});

async function countOf(syncId: string): Promise<number> {
  const { rows } = await api.db.query<{ count: number }>({
    text: 'select count(*)::int as count from events where sync_id = $1',
    values: [syncId],
  });
  return rows[0]!.count;
}

test('a check of all open answers costs two queries, however many they are, and none when none is open', async () => {
  const queries: string[] = [];
  const sql: Sql = {
    query: (config) => {
      queries.push(typeof config === 'string' ? config : (config.name ?? config.text));
      return api.db.query(config);
    },
  };
  await using permits = createPermits({
    apiKeys: createApiKeys(sql, Date.now),
    sessions: createSessions({ sql, bootstrapKey: KEY }),
    listener: { on: () => () => undefined },
    log: silent,
  });
  const { id } = await makeKey();
  const caller = { id };
  const open = Array.from({ length: 1_000 }, (_, index) =>
    permits.open({
      caller,
      session: index % 2 === 0 ? null : Buffer.from(`no session ${index}`),
      scope: 'read',
    }),
  );
  await until(() => open.filter(({ end }) => end === 'signed-out').length === 500);
  await until(() => queries.length >= 6);
  expect(queries.slice(0, 6).sort()).toEqual([
    ...Array<string>(3).fill('standing of api keys'),
    ...Array<string>(3).fill('standing of sessions'),
  ]);
  expect(open.filter(({ end }) => end === null)).toHaveLength(500);
  for (const permit of open) permit[Symbol.dispose]();
  expect(permits.size).toBe(0);
});

test('an open answer ends when its caller cannot be checked for 4 s', async () => {
  await using permits = createPermits({
    apiKeys: { standings: () => Promise.reject(new Error('Postgres is away')) },
    sessions: { standings: async () => new Map() },
    listener: { on: () => () => undefined },
    log: silent,
  });
  using permit = permits.open({ caller: { id: 'a' }, session: null, scope: 'read' });
  using configured = permits.open({ caller: { id: 'bootstrap' }, session: null, scope: 'read' });
  using slow = watchSlowness(() => Promise.resolve());
  const before = performance.now();
  await until(() => permit.signal.aborted);
  expect(performance.now() - before - slow.ms()).toBeLessThan(PROMISED_MS + 500);
  expect([permit.end, configured.end]).toEqual(['unjudged', null]);
});

test.each<[Partial<Holder>, Parameters<typeof endOf>[1], ReturnType<typeof endOf>]>([
  [{}, undefined, 'revoked'],
  [{ session: Buffer.alloc(32) }, undefined, 'signed-out'],
  [{}, { state: 'good', scopes: ['read'] }, null],
  [{}, { state: 'good', scopes: ['manage'] }, null],
  [{}, { state: 'good', scopes: ['ingest'] }, 'forbidden'],
  [{ scope: null }, { state: 'good', scopes: ['ingest'] }, null],
  [{ scope: 'manage' }, { state: 'good', scopes: ['read'] }, 'forbidden'],
  [{}, { state: 'revoked', scopes: ['read'] }, 'revoked'],
  [{}, { state: 'expired', scopes: ['read'] }, 'expired'],
])('a permit of %o whose key is %o ends as %s', (holder, standing, end) => {
  expect(endOf({ caller: { id: 'a' }, session: null, scope: 'read', ...holder }, standing)).toBe(
    end,
  );
});

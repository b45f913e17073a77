import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { listQuery } from '../src/consumers.ts';
import { cursorOf } from '../src/cursor.ts';
import type { NewEvent } from '../src/derive.ts';
import { newId } from '../src/ids.ts';
import { openApp } from './support/app.ts';
import type { TestApp } from './support/app.ts';
import { createDatabase } from './support/database.ts';
import type { TestDatabase } from './support/database.ts';

let database: TestDatabase;
let api: TestApp;
let targetId: string;

beforeAll(async () => {
  database = await createDatabase();
  api = openApp(database.url);
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

beforeEach(async () => {
  const target = { name: 'one', base_url: 'https://example.com/hooks' };
  targetId = (await api.request('POST', '/v1/targets', target)).body.id;
});

async function append(syncId: string, count = 1): Promise<number> {
  const event = (): NewEvent => ({
    eventId: newId(),
    event: 'created',
    syncId,
    collectionId: 'a:b',
    upstreamId: newId(),
    data: '{}',
    changes: null,
    upstreamUpdatedAt: null,
  });
  const { position } = await api.appender.events(Array.from({ length: count }, event));
  return position;
}

async function create(fields: object = {}) {
  const input = { name: 'orders', target_id: targetId, stream: 'events', ...fields };
  const { status, body } = await api.request('POST', '/v1/consumers', input);
  expect([status, body.errors]).toEqual([201, undefined]);
  return body;
}

async function read(id: string) {
  const { status, body } = await api.request('GET', `/v1/consumers/${id}`);
  expect(status).toBe(200);
  return body;
}

async function setCursor(id: string, set: string): Promise<void> {
  await api.db.query({ text: `update cursors set ${set} where consumer_id = $1`, values: [id] });
}

test('creating answers with every default, starts the workflow and notes who did it', async () => {
  const end = await append('s1', 3);
  const input = { name: 'orders', target_id: targetId, stream: 'events' };
  const { status, headers, body } = await api.request('POST', '/v1/consumers', input);
  expect(status).toBe(201);
  expect(headers.get('location')).toBe(`/v1/consumers/${body.id}`);
  expect(body).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/u),
    ...input,
    path: '',
    syncs: ['*'],
    collections: ['*'],
    event_types: ['*'],
    ordering: 'record',
    alert_emails: [],
    status: 'active',
    status_reason: null,
    position: end,
    cursor: cursorOf('events', end),
    lag: { entries: 0, seconds: 0 },
    parked: 0,
    next_attempt_at: null,
    failing_since: null,
    filter_version: 1,
    filter_from: end,
    region: 'us-west-2',
    workflow_id: `consumer/${body.id}`,
    health: { status: 'ok', notes: [], time: expect.any(String) },
    metadata: {},
    created_at: expect.stringMatching(/Z$/u),
    updated_at: body.created_at,
  });
  expect(api.started).toContain(body.id);
  const changes = await api.request('GET', `/v1/changes?consumer_id=${body.id}`);
  expect(changes.body.data).toEqual([
    {
      id: expect.any(String),
      consumer_id: body.id,
      action: 'created',
      actor: 'bootstrap',
      detail: { start: 'end', position: end },
      at: body.created_at,
    },
  ]);
});

test('a workflow that cannot be started does not fail the creation', async () => {
  await using away = openApp(database.url, {
    startWorkflow: () => Promise.reject(new Error('Temporal is away')),
  });
  const input = { name: 'orders', target_id: targetId, stream: 'events' };
  const { status, body } = await away.request('POST', '/v1/consumers', input);
  expect(status).toBe(201);
  expect(away.logged.join()).toContain(body.id);
});

test('each start is resolved to a position when it is created', async () => {
  const before = await append('s1', 2);
  const { rows } = await api.db.query<{ at: string }>(
    `select (clock_timestamp())::timestamptz as at`,
  );
  const end = await append('s1', 2);
  const { rows: streams } = await api.db.query<{ first: number }>(
    `select first_position as first from streams where name = 'events'`,
  );
  for (const [start, position] of [
    ['beginning', streams[0]!.first - 1],
    ['end', end],
    [{ cursor: cursorOf('events', before) }, before],
    [{ time: rows[0]!.at }, before],
    [{ time: '2000-01-01T00:00:00+02:00' }, 0],
    [{ time: '2999-01-01T00:00:00Z' }, end],
  ] as const) {
    const consumer = await create({ start });
    expect([start, consumer.position, consumer.filter_from]).toEqual([start, position, position]);
  }
  const { rows: cursors } = await api.db.query<{ idle: boolean }>(
    `select c.idle from cursors c join consumers k on k.id = c.consumer_id
      order by k.created_at desc limit 6`,
  );
  expect(cursors.map(({ idle }) => idle)).toEqual([false, false, false, false, true, false]);
});

test('a start that is no place of its stream is refused, and nothing is stored', async () => {
  const end = await append('s1');
  const { rows: before } = await api.db.query('select count(*) from consumers');
  for (const [cursor, code] of [
    [cursorOf('records', 0), 'wrong_stream'],
    ['nonsense', 'invalid_cursor'],
    [cursorOf('events', end + 1), 'invalid_request'],
  ] as const) {
    const input = { name: 'c', target_id: targetId, stream: 'events', start: { cursor } };
    const { status, body } = await api.request('POST', '/v1/consumers', input);
    expect([cursor, status, body.code]).toEqual([cursor, 422, code]);
    expect(body.errors).toEqual([{ pointer: '/start/cursor', detail: expect.any(String) }]);
  }
  const { rows: after } = await api.db.query('select count(*) from consumers');
  expect(after).toEqual(before);
});

test('every field that is wrong is refused with its pointer', async () => {
  const good = { name: 'c', target_id: targetId, stream: 'events' };
  for (const [fields, pointer] of [
    [{ target_id: newId() }, '/target_id'],
    [{ target_id: 'abc' }, '/target_id'],
    [{ stream: 'logs' }, '/stream'],
    [{ collections: ['stripe'] }, '/collections/0'],
    [{ collections: ['a:b', ':b'] }, '/collections/1'],
    [{ collections: ['a:'] }, '/collections/0'],
    [{ syncs: ['*', 'a'] }, '/syncs'],
    [{ syncs: 'a' }, '/syncs'],
    [{ syncs: [''] }, '/syncs/0'],
    [{ syncs: Array.from({ length: 10_001 }, (_, index) => `s${index}`) }, '/syncs'],
    [{ event_types: ['renamed'] }, '/event_types/0'],
    [{ stream: 'records', event_types: ['created'] }, '/event_types'],
    [{ ordering: 'any' }, '/ordering'],
    [{ path: 'hooks' }, '/path'],
    [{ path: '/a#b' }, '/path'],
    [{ alert_emails: ['ann'] }, '/alert_emails/0'],
    [{ start: 'now' }, '/start'],
    [{ start: { time: 'yesterday' } }, '/start/time'],
    [{ start: { cursor: 'a', time: '2026-01-01T00:00:00Z' } }, '/start'],
    [{ name: '' }, '/name'],
    [{ name: 'a\u0000' }, '/name'],
    [{ status: 'paused' }, '/status'],
  ] as const) {
    const { status, body } = await api.request('POST', '/v1/consumers', { ...good, ...fields });
    expect([fields, status]).toEqual([fields, 422]);
    expect(body.errors[0].pointer).toBe(pointer);
  }
});

test('values given twice are kept once, and an empty list warns that nothing matches', async () => {
  const consumer = await create({ syncs: ['a', 'a', 'b'], collections: [] });
  expect(consumer.syncs).toEqual(['a', 'b']);
  expect(consumer.health).toMatchObject({
    status: 'warn',
    notes: ['The filter matches nothing: collections is empty'],
  });
});

test('the lag of one consumer counts what matches and is not settled', async () => {
  const start = await append('s1');
  const consumer = await create({ syncs: ['mine'], start: { cursor: cursorOf('events', start) } });
  expect((await read(consumer.id)).lag).toEqual({ entries: 0, seconds: 0 });
  await append('other', 5);
  expect((await read(consumer.id)).lag.entries).toBe(0);
  const mine = await append('mine', 4);
  const { lag, position } = await read(consumer.id);
  expect(position).toBe(start);
  expect(lag.entries).toBe(4);
  expect(lag.seconds).toBeGreaterThan(0);
  expect(lag.seconds).toBeLessThan(60);
  await setCursor(consumer.id, `ahead = '{${mine},${mine - 2}}'`);
  const part = await read(consumer.id);
  expect(part.lag.entries).toBe(2);
  expect(part.filter_from).toBe(start);
  await setCursor(consumer.id, `position = ${mine}, ahead = '{}'`);
  expect((await read(consumer.id)).lag).toEqual({ entries: 0, seconds: 0 });
});

test('in a list the lag is an upper bound that is 0 when caught up', async () => {
  const start = await append('s1');
  const { id } = await create({ start: { cursor: cursorOf('events', start) }, syncs: ['mine'] });
  const end = await append('other', 3);
  const listed = async () =>
    (await api.request('GET', '/v1/consumers')).body.data.find(
      (one: { id: string }) => one.id === id,
    );
  expect((await listed()).lag.entries).toBe(3);
  expect((await listed()).lag.seconds).toBeGreaterThan(0);
  await setCursor(id, `position = ${end}`);
  expect((await listed()).lag).toEqual({ entries: 0, seconds: 0 });
});

test('more than 10,000 entries are counted as an upper bound', async () => {
  const start = await append('s1');
  const { id } = await create({ start: { cursor: cursorOf('events', start) }, syncs: ['mine'] });
  const first = await append('mine');
  for (let part = 0; part < 3; part += 1) await append('other', 4_000);
  const { lag } = await read(id);
  expect(lag.entries).toBe(1 + (first + 12_000 - (start + 10_000)));
});

test('an idle consumer stands where the leader has looked, and before what waits for it', async () => {
  const { id, position } = await create();
  const end = await append('s1', 5);
  await api.db.query(`update tails set position = ${end - 1} where stream = 'events'`);
  expect((await read(id)).position).toBe(position);
  await setCursor(id, `indexed_epoch = (select epoch from leader)`);
  expect(await read(id)).toMatchObject({ position: end - 1, lag: { entries: 1 } });
  await api.db.query(`update tails set position = ${end} where stream = 'events'`);
  const caughtUp = await read(id);
  expect(caughtUp).toMatchObject({ position: end, lag: { entries: 0, seconds: 0 } });
  expect(caughtUp.cursor).toBe(cursorOf('events', end));
  await setCursor(id, `wanted = ${end - 2}`);
  expect((await read(id)).position).toBe(end - 3);
  await setCursor(id, 'wanted = null, indexed_epoch = -1');
  expect((await read(id)).position).toBe(position);
});

test('a blocked consumer says why, since when and when it tries again', async () => {
  const { id } = await create();
  await api.db.query({
    text: `
      update consumers set status = 'blocked', status_reason = 'connection refused',
                           failing_since = '2026-11-23T10:00:00.25Z'
       where id = $1`,
    values: [id],
  });
  const failure = `{"code":"CONNECTION_REFUSED","status":null,"detail":"x","at":"2026-11-23T10:00:00Z"}`;
  await setCursor(
    id,
    `attempt = 8, next_attempt_at = '2026-11-23T11:00:00Z', last_failure = '${failure}'`,
  );
  const consumer = await read(id);
  expect(consumer).toMatchObject({
    status: 'blocked',
    status_reason: 'connection refused',
    failing_since: '2026-11-23T10:00:00.25Z',
    next_attempt_at: '2026-11-23T11:00:00Z',
    health: { status: 'warn' },
  });
  expect(consumer.health.notes[0]).toMatch(
    /^Refused connections since .*; next attempt .* \(attempt 9\)$/u,
  );
  await api.db.query({
    text: `update consumers set status = 'paused' where id = $1`,
    values: [id],
  });
  expect((await read(id)).next_attempt_at).toBeNull();
});

test('a list is newest first, filtered, and its cursor walks over every consumer once', async () => {
  const mine: string[] = [];
  for (const name of ['Alpha_1', 'alphaX1', 'beta', 'gamma', 'delta']) {
    mine.unshift((await create({ name })).id);
  }
  await api.db.query({
    text: `update consumers set status = 'stopped' where id = $1`,
    values: [mine[0]],
  });
  await api.db.query({
    text: 'update consumers set deleted_at = now() where id = $1',
    values: [mine[1]],
  });
  const ids = async (query: string): Promise<string[]> => {
    const { body } = await api.request('GET', `/v1/consumers?${query}`);
    return body.data.map((one: { id: string }) => one.id);
  };
  const byTarget = `target_id=${targetId}`;
  expect(await ids(byTarget)).toEqual([mine[0], ...mine.slice(2)]);
  expect(await ids(`${byTarget}&status=stopped`)).toEqual([mine[0]]);
  expect(await ids(`${byTarget}&q=ALPHA`)).toEqual([mine[3], mine[4]]);
  expect(await ids(`${byTarget}&q=alpha_`)).toEqual([mine[4]]);
  const walked: string[] = [];
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? '' : `&cursor=${cursor}`;
    const { body } = await api.request('GET', `/v1/consumers?limit=3${query}`);
    walked.push(...body.data.map((one: { id: string }) => one.id));
    cursor = body.next_cursor;
  } while (cursor !== null);
  const { rows } = await api.db.query<{ id: string }>(
    'select id from consumers where deleted_at is null order by created_at desc, id desc',
  );
  expect(walked).toEqual(rows.map(({ id }) => id));
});

test('a page of 20,000 consumers is read by index', async () => {
  await using many = await createDatabase();
  await using other = openApp(many.url);
  await other.db.query(`
    insert into targets (id, name, kind, base_url, credentials, headers, signing_secret, timeout_ms, max_in_flight, metadata, created_at, updated_at)
    values ('${targetId}', 't', 'webhook', 'http://a', '', '{}', '', 15000, 64, '{}', now(), now());
    insert into consumers (id, name, target_id, stream, path, ordering, alert_emails, metadata, region, status, filter_version, version, created_at, updated_at)
    select gen_random_uuid(), 'c' || n, '${targetId}', 'events', '', 'record', '{}', '{}', 'r', 'active', 1, 1, now() - n * interval '1 s', now()
      from generate_series(1, 20000) n;
    insert into filter_versions select id, 1, 0, '{*}', '{*}', '{*}' from consumers;
    insert into cursors (consumer_id, position) select id, 0 from consumers;
    analyze;
  `);
  const { rows: middle } = await other.db.query<{ at: string; id: string }>(
    'select created_at as at, id from consumers order by created_at desc offset 10000 limit 1',
  );
  for (const after of [null, middle[0]!]) {
    const { text, values } = listQuery({ limit: 100, after });
    const { rows } = await other.db.query<Record<'QUERY PLAN', string>>({
      text: `explain (analyze, timing off) ${text}`,
      values,
    });
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toContain('consumers_newest');
    expect(plan).not.toMatch(/Seq Scan on (consumers|cursors|filter_versions)/u);
  }
});

test('changes are newest first, and their cursor walks on', async () => {
  const first = await create();
  const second = await create();
  const { body } = await api.request('GET', '/v1/changes?limit=1');
  expect(body.data[0].consumer_id).toBe(second.id);
  const next = await api.request('GET', `/v1/changes?limit=1&cursor=${body.next_cursor}`);
  expect(next.body.data[0].consumer_id).toBe(first.id);
});

test('a change that names what cannot be is refused before anything is asked', async () => {
  const events = await create();
  const records = await create({ stream: 'records' });
  for (const [id, patch, pointer] of [
    [events.id, { target_id: newId() }, '/target_id'],
    [events.id, { stream: 'records' }, '/stream'],
    [events.id, { start: 'end' }, '/start'],
    [events.id, { collections: ['stripe'] }, '/collections/0'],
    [records.id, { event_types: ['created'] }, '/event_types'],
    [records.id, { event_types: [] }, '/event_types'],
  ] as const) {
    const { status, body } = await api.request('PATCH', `/v1/consumers/${id}`, patch);
    expect([patch, status, body.errors[0].pointer]).toEqual([patch, 422, pointer]);
  }
  expect((await api.request('PATCH', `/v1/consumers/${events.id}`, {})).status).toBe(200);
});

test('a command with a wrong body is refused before anything is asked', async () => {
  const { id, position } = await create();
  for (const [verb, body, pointer] of [
    ['seek', {}, '/to'],
    ['seek', { to: 'middle' }, '/to'],
    ['seek', { to: { cursor: cursorOf('records', 0) } }, '/to/cursor'],
    ['seek', { to: { cursor: cursorOf('events', position + 1_000_000) } }, '/to/cursor'],
    ['filter', { add: { collections: ['stripe'] } }, '/add/collections/0'],
    ['filter', { add: { syncs: ['*', 'a'] } }, '/add/syncs'],
    ['filter', { added: {} }, '/added'],
  ] as const) {
    const answer = await api.request('POST', `/v1/consumers/${id}/${verb}`, body);
    expect([body, answer.status, answer.body.errors[0].pointer]).toEqual([body, 422, pointer]);
  }
});

test('with Temporal away commands are 503 with Retry-After, and reads and creation work', async () => {
  const { id } = await create();
  for (const [method, path, body] of [
    ['POST', '/pause'],
    ['POST', '/resume'],
    ['POST', '/retry'],
    ['POST', '/seek', { to: 'end' }],
    ['POST', '/filter', { add: { syncs: ['a'] } }],
    ['PATCH', '', { name: 'other' }],
    ['DELETE', ''],
  ] as const) {
    const answer = await api.request(method, `/v1/consumers/${id}${path}`, body);
    expect([path, answer.status, answer.body.code]).toEqual([path, 503, 'temporal_unavailable']);
    expect(answer.headers.get('retry-after')).toBe('2');
  }
  expect((await read(id)).name).toBe('orders');
});

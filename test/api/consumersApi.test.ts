import { afterAll, beforeAll, expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import { cursorOf } from '../../src/streams/cursor.ts';
import type { TestApp } from '../support/app.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';

let opened: ConsumersApi;
let api: TestApp;
beforeAll(async () => {
  opened = await openConsumersApi();
  ({ api } = opened);
});
afterAll(() => opened[Symbol.asyncDispose]());

test('creating a consumer answers with every default, as reading it does, and notes who created it', async () => {
  const end = await opened.append('s1', 3);
  const input = { name: 'orders', target_id: opened.targetId, stream: 'events' };
  const { status, headers, body } = await api.request('POST', '/v1/consumers', input);
  expect(status).toBe(201);
  expect(headers.get('location')).toBe(`/v1/consumers/${body.id}`);
  expect(body).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/u),
    ...input,
    target_name: 'one',
    path: '',
    syncs: ['*'],
    collections: ['*'],
    event_types: ['*'],
    where: null,
    ordering: 'record',
    batch: null,
    body: { mode: 'full' },
    alert_emails: [],
    status: 'active',
    status_reason: null,
    position: end,
    cursor: cursorOf('events', end),
    lag: { entries: 0, seconds: 0, exact: true },
    parked: 0,
    dead_letters: 0,
    next_attempt_at: null,
    failing_since: null,
    last_failure: null,
    cannot_start: null,
    sender: null,
    filter_version: 1,
    filter_from: end,
    region: 'us-west-2',
    workflow_id: `consumer/${body.id}`,
    health: { status: 'ok', notes: [], time: expect.any(String) },
    metadata: {},
    created_at: expect.stringMatching(/Z$/u),
    updated_at: body.created_at,
  });
  expect(await opened.read(body.id)).toEqual({ ...body, health: expect.anything() });
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

test('each start is resolved to a position when it is created', async () => {
  const before = await opened.append('s1', 2);
  const { rows } = await api.db.query<{ at: string }>(
    `select (clock_timestamp())::timestamptz as at`,
  );
  const end = await opened.append('s1', 2);
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
    const consumer = await opened.create({ start });
    expect([start, consumer.position, consumer.filter_from]).toEqual([start, position, position]);
  }
  // It is served without its workflow: a lane may claim it, or the leader watches it.
  const { rows: cursors } = await api.db.query<{ idle: boolean; wants: number | null }>(
    `select c.idle, c.wanted - c.position as wants from cursors c
       join consumers k on k.id = c.consumer_id order by k.created_at desc limit 6`,
  );
  expect(cursors.map(({ idle }) => idle)).toEqual(cursors.map(() => true));
  expect(cursors.map(({ wants }) => wants)).toEqual([null, 1, 1, 1, null, 1]);
});

test('a start that is not a place in the stream is refused, and nothing is stored', async () => {
  const end = await opened.append('s1');
  const { rows: before } = await api.db.query('select count(*) from consumers');
  for (const [cursor, code] of [
    [cursorOf('records', 0), 'wrong_stream'],
    ['nonsense', 'invalid_cursor'],
    [cursorOf('events', end + 1), 'invalid_request'],
  ] as const) {
    const input = { name: 'c', target_id: opened.targetId, stream: 'events', start: { cursor } };
    const { status, body } = await api.request('POST', '/v1/consumers', input);
    expect([cursor, status, body.code]).toEqual([cursor, 422, code]);
    expect(body.errors).toEqual([{ pointer: '/start/cursor', detail: expect.any(String) }]);
  }
  const { rows: after } = await api.db.query('select count(*) from consumers');
  expect(after).toEqual(before);
});

test('every field that is wrong is refused with its pointer', async () => {
  const good = { name: 'c', target_id: opened.targetId, stream: 'events' };
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
    [{ batch: {} }, '/batch/max_entries'],
    [{ batch: { max_entries: 1 } }, '/batch/max_entries'],
    [{ batch: { max_entries: 1_001 } }, '/batch/max_entries'],
    [{ batch: { max_entries: 2.5 } }, '/batch/max_entries'],
    [{ batch: { max_entries: 9, max_bytes: 1_023 } }, '/batch/max_bytes'],
    [{ batch: { max_entries: 9, max_bytes: 8_388_609 } }, '/batch/max_bytes'],
    [{ batch: { max_entries: 9, max_wait_ms: -1 } }, '/batch/max_wait_ms'],
    [{ batch: { max_entries: 9, max_wait_ms: 10_001 } }, '/batch/max_wait_ms'],
    [{ batch: { max_entries: 9, wait: 1 } }, '/batch/wait'],
    [{ batch: 100 }, '/batch'],
    [{ path: 'hooks' }, '/path'],
    [{ path: '/a#b' }, '/path'],
    ...['//', '///', '/\\', '/a\\b', '//evil/z', '//:80/x', '//[/x', '//%/x', '//x:99999/y'].map(
      (path) => [{ path }, '/path'] as const,
    ),
    ...['/.', '/a/../b', '/%2e%2E/b', '/./?a=1'].map((path) => [{ path }, '/path'] as const),
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

test('a batch is stored with the limits that were left out, and shown in their order', async () => {
  const { id, batch } = await opened.create({ batch: { max_entries: 1_000 } as never });
  const limits = '{"max_entries":1000,"max_bytes":1048576,"max_wait_ms":200}';
  expect(JSON.stringify(batch)).toBe(limits);
  expect(JSON.stringify((await opened.read(id)).batch)).toBe(limits);
  const { rows } = await api.db.query('select batch from consumers where batch is not null');
  expect(rows).toEqual([{ batch: JSON.parse(limits) }]);
});

test('values given twice are kept once, and an empty list warns that nothing matches', async () => {
  const consumer = await opened.create({ syncs: ['a', 'a', 'b'], collections: [] });
  expect(consumer.syncs).toEqual(['a', 'b']);
  expect(consumer.health).toMatchObject({
    status: 'warn',
    notes: ['The filter matches nothing: collections is empty'],
  });
});

test('a change to an impossible value is refused before its workflow is asked', async () => {
  const events = await opened.create();
  const records = await opened.create({ stream: 'records' });
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

test('a command with a wrong body is refused before its workflow is asked', async () => {
  const { id, position } = await opened.create();
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
  const { id } = await opened.create();
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
  expect((await opened.read(id)).name).toBe('orders');
});

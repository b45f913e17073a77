import { afterAll, beforeAll, expect, test } from 'vitest';

import { openDb } from '../../src/db/db.ts';
import { openOwnApp, type OwnApp } from '../support/app.ts';
import { PATIENT } from '../support/database.ts';
import { until } from '../support/poll.ts';
import { aChange, openStreams } from '../support/streams.ts';

let api: OwnApp;

beforeAll(async () => {
  api = await openOwnApp();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const record = { sync_id: 's', collection_id: 'a:b', upstream_id: '1', data: { n: 1 } };

async function read(source: string, query = ''): Promise<Record<string, string>[]> {
  const { body } = await api.request(
    'GET',
    `/v1/checkpoints/${encodeURIComponent(source)}${query}`,
  );
  return body.data as Record<string, string>[];
}

test('a checkpoint is returned as it was sent, the last one of each key, also when no record changes', async () => {
  const source = 'tap/shop: "1"';
  const values = ['', '{"a":9007199254740993}', 'é😀\n\\"'];
  for (const [n, value] of values.entries()) {
    const checkpoint = { source, key: n < 2 ? 'one' : 'two', value };
    const sent = await api.request('POST', '/v1/records', { records: [record], checkpoint });
    expect(sent.status).toBe(200);
  }
  const alone = { records: [], checkpoint: { source, key: 'three', value: '3' } };
  expect((await api.request('POST', '/v1/records', alone)).status).toBe(200);
  expect(await read(source)).toEqual([
    { source, key: 'one', value: values[1], updated_at: expect.stringMatching(/Z$/u) },
    { source, key: 'three', value: '3', updated_at: expect.any(String) },
    { source, key: 'two', value: values[2], updated_at: expect.any(String) },
  ]);
  expect(await read('unheard of')).toEqual([]);
});

test('checkpoints are read page by page', async () => {
  for (const key of ['b', 'a', 'c']) {
    const checkpoint = { source: 'paged', key, value: key };
    await api.request('POST', '/v1/records', { records: [], checkpoint });
  }
  const first = await api.request('GET', '/v1/checkpoints/paged?limit=2');
  expect(first.body.data).toMatchObject([{ key: 'a' }, { key: 'b' }]);
  const cursor = first.body.next_cursor as string;
  const second = await api.request('GET', `/v1/checkpoints/paged?limit=2&cursor=${cursor}`);
  expect(second.body).toMatchObject({ data: [{ key: 'c' }], next_cursor: null });
  expect((await api.request('GET', '/v1/checkpoints/paged?cursor=_')).status).toBe(400);
});

test('a request that is refused stores neither its records nor its checkpoint', async () => {
  const checkpoint = { source: 'refused', key: 'k', value: '1' };
  const stray = { ...record, sync_id: 'refused', pass_id: '0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11' };
  for (const records of [[{ ...record, data: undefined }], [stray]]) {
    const { status } = await api.request('POST', '/v1/records', { records, checkpoint });
    expect(status).toBe(422);
  }
  expect(await read('refused')).toEqual([]);
});

test.each([
  ['/checkpoint', 1],
  ['/checkpoint/source', { key: 'k', value: '' }],
  ['/checkpoint/key', { source: 's', key: '', value: '' }],
  ['/checkpoint/value', { source: 's', key: 'k', value: { a: 1 } }],
  ['/checkpoint/value', { source: 's', key: 'k', value: 'x'.repeat(256 * 1024 + 1) }],
  ['/checkpoint/value', { source: 's', key: 'k', value: 'é'.repeat(128 * 1024 + 1) }],
  ['/checkpoint/value', { source: 's', key: 'k', value: '\u0000' }],
  ['/checkpoint/more', { source: 's', key: 'k', value: '', more: 1 }],
])('a checkpoint that can not be is refused at %s', async (pointer, checkpoint) => {
  const { status, body } = await api.request('POST', '/v1/records', { records: [], checkpoint });
  expect([status, body]).toMatchObject([422, { errors: [{ pointer }] }]);
});

test('nobody can move the place of a database that Millrace follows itself', async () => {
  const checkpoint = {
    source: 'source/0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11',
    key: 'log',
    value: '',
  };
  const sent = await api.request('POST', '/v1/records', { records: [], checkpoint });
  expect(sent.status).toBe(422);
  expect(sent.body.errors).toMatchObject([{ pointer: '/checkpoint/source' }]);
  expect(await read(checkpoint.source)).toEqual([]);
});

test('events have no checkpoint', async () => {
  const checkpoint = { source: 's', key: 'k', value: '' };
  const { status, body } = await api.request('POST', '/v1/events', { events: [], checkpoint });
  expect([status, body]).toMatchObject([422, { errors: [{ pointer: '/checkpoint' }] }]);
});

test('when connections break, a checkpoint is never ahead of its records nor behind what was answered', async () => {
  await using streams = await openStreams();
  const { appender, url } = streams;
  const admin = openDb({ url, ...PATIENT, max: 2, onError: () => undefined });
  const look = async (): Promise<{ value: number; stored: number }> => {
    const { rows } = await admin.query<{ value: number; stored: number }>(
      `select coalesce((select value::int from checkpoints), 0) as value,
              (select count(*)::int from records) as stored`,
    );
    return rows[0]!;
  };
  let answered = 0;
  let done = false;
  let killed = 0;
  const killer = (async () => {
    while (!done) {
      const goal = answered + 5;
      const { rows } = await admin.query<{ n: number }>(
        `select count(pg_terminate_backend(pid)) as n from pg_stat_activity
          where application_name = 'millrace append' and datname = current_database()`,
      );
      killed += rows[0]!.n;
      const before = answered;
      const { value, stored } = await look();
      expect(value).toBe(stored);
      expect(value).toBeGreaterThanOrEqual(before);
      await until(() => answered >= goal || done);
    }
  })();
  for (let n = 1; n <= 60; n++) {
    const change = aChange({ upstreamId: String(n) });
    await appender.records([change], {
      checkpoints: [{ source: 's', key: 'k', value: String(n) }],
    });
    answered = n;
  }
  done = true;
  await killer;
  expect(killed).toBeGreaterThan(3);
  expect(await look()).toEqual({ value: 60, stored: 60 });
  await admin.close();
});

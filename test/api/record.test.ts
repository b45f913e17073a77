import { afterAll, beforeAll, expect, test } from 'vitest';

import { KEY, openOwnApp, type OwnApp } from '../support/app.ts';
import { runCli } from '../support/cli.ts';
import { serve } from '../support/serve.ts';

let api: OwnApp;
beforeAll(async () => {
  api = await openOwnApp();
});
afterAll(() => api[Symbol.asyncDispose]());

const put = (...records: object[]) => api.request('POST', '/v1/records', { records });

function pathOf(...key: [string, string, string]): string {
  return `/v1/records/${key.map(encodeURIComponent).join('/')}`;
}

test.each([
  ['s1', 'shop:order', 'o1'],
  ['s/1?x', 'shop:a b/c', '100%/../é😀#'],
  ['%2F', 'p:%41', '{"a":"b"}'],
])(
  'a record is read by its key, each part of which is percent-encoded: %s %s %s',
  async (sync_id, collection_id, upstream_id) => {
    const key = { sync_id, collection_id, upstream_id };
    await put({ ...key, data: { total: 3 } });
    const { status, headers, body } = await api.request(
      'GET',
      pathOf(sync_id, collection_id, upstream_id),
    );
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json']);
    expect(body).toMatchObject({ ...key, data: { total: 3 }, deleted: false });
    expect(headers.get('etag')).toBe(`"${body.version_id}"`);
    const stream = await api.request('GET', `/v1/records?sync_id=${encodeURIComponent(sync_id)}`);
    expect(stream.body.records).toEqual([body]);
  },
);

test('a record that has not changed is answered 304 to its tag, in whichever form it is sent', async () => {
  const key = ['etag', 'shop:order', 'o1'] as const;
  const record = { sync_id: key[0], collection_id: key[1], upstream_id: key[2] };
  await put({ ...record, data: 1 });
  const path = pathOf(...key);
  const first = await api.request('GET', path);
  const etag = first.headers.get('etag') ?? '';
  for (const sent of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const again = await api.request('GET', path, undefined, { 'if-none-match': sent });
    expect([again.status, again.headers.get('etag')]).toEqual([304, etag]);
  }
  await put({ ...record, data: 2 });
  const changed = await api.request('GET', path, undefined, { 'if-none-match': etag });
  expect([changed.status, changed.body.data]).toEqual([200, 2]);
  expect(changed.headers.get('etag')).not.toBe(etag);
});

test('a deleted record is answered as the stream has it', async () => {
  const record = { sync_id: 'gone', collection_id: 'shop:order', upstream_id: 'o1' };
  await put({ ...record, data: { total: 3 } });
  await put({ ...record, deleted: true });
  const { status, body } = await api.request('GET', pathOf('gone', 'shop:order', 'o1'));
  const stream = await api.request('GET', '/v1/records?sync_id=gone');
  expect(status).toBe(200);
  expect([body]).toEqual(stream.body.records);
  expect(body.deleted).toBe(true);
});

test.each([
  pathOf('s1', 'shop:order', 'unknown'),
  pathOf('unknown', 'shop:order', 'o1'),
  pathOf('s1', 'no-collection', 'o1'),
  '/v1/records/s1/shop%3Aorder',
  '/v1/records/s1/shop%3Aorder/o1/more',
  '/v1/records/s1/shop%3Aorder/%00',
])('there is no record at %s', async (path) => {
  const { status, body } = await api.request('GET', path);
  expect([status, body.code]).toEqual([404, 'not_found']);
});

test('a record is read with the scope read alone, and with its numbers as they were written', async () => {
  await put({ sync_id: 'key', collection_id: 'a:b', upstream_id: 'r', data: { n: 1 } });
  const path = pathOf('key', 'a:b', 'r');
  for (const [scope, status] of [
    ['read', 200],
    ['ingest', 403],
  ] as const) {
    const { body } = await api.request('POST', '/v1/api-keys', { name: scope, scopes: [scope] });
    const authorization = `Bearer ${body.key}`;
    expect((await api.request('GET', path, undefined, { authorization })).status).toBe(status);
  }
  const lines = `{"sync_id":"key","collection_id":"a:b","upstream_id":"big","data":{"n":9007199254740993}}\n`;
  await api.request('POST', '/v1/records', lines, { 'content-type': 'application/x-ndjson' });
  const response = await api.app.request(pathOf('key', 'a:b', 'big'), {
    headers: { authorization: `Bearer ${KEY}` },
  });
  expect(await response.text()).toContain('"data":{"n":9007199254740993}');
});

test('millrace records get shows a record by its key, and ends with 3 when there is none', async () => {
  await using site = await serve(api);
  const variables = { MILLRACE_URL: site.url, MILLRACE_API_KEY: KEY };
  const key = ['cli/1', 'shop:order', 'o 1'] as const;
  await put({ sync_id: key[0], collection_id: key[1], upstream_id: key[2], data: { total: 3 } });
  const shown = await runCli(['records', 'get', ...key, '--json'], variables);
  expect(shown).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(shown.stdout)).toMatchObject({ upstream_id: 'o 1', data: { total: 3 } });
  const absent = await runCli(['records', 'get', key[0], key[1], 'o2'], variables);
  expect([absent.code, absent.stdout]).toEqual([3, '']);
});

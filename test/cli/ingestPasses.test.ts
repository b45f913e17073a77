// which records `millrace ingest` deletes because they did not come
import { afterAll, beforeAll, expect, test } from 'vitest';

import { runCli, startCli, type CliResult } from '../support/cli.ts';
import { openImportSite, type ImportSite } from '../support/importSite.ts';
import { until } from '../support/poll.ts';

let site: ImportSite;
beforeAll(async () => {
  site = await openImportSite();
});
afterAll(() => site[Symbol.asyncDispose]());

const SCHEMA = '{"type":"SCHEMA","stream":"users","key_properties":["id"],"schema":{}}';
const record = (id: number, version?: number): string =>
  JSON.stringify({ type: 'RECORD', stream: 'users', record: { id }, version });
const activate = (version: number): string =>
  JSON.stringify({ type: 'ACTIVATE_VERSION', stream: 'users', version });
const upTo = (count: number, version?: number): string[] =>
  Array.from({ length: count }, (_, id) => record(id, version));
const text = (...lines: string[]): string => lines.map((line) => `${line}\n`).join('');

const flags = (sync: string, format: string): string[] => [
  'ingest',
  '--format',
  format,
  '--sync',
  sync,
  '--provider',
  'crm',
];
function ingest(
  sync: string,
  lines: string[],
  more: string[] = [],
  format = 'singer',
): Promise<CliResult> {
  return runCli([...flags(sync, format), ...more], site.cluster.api, { input: text(...lines) });
}

/** The ids of the records that are not deleted, in order. */
async function left(sync: string): Promise<number[]> {
  const { records } = await site.cluster.request<{
    records: { upstream_id: string; deleted: boolean }[];
  }>('GET', `/v1/records?sync_id=${sync}&limit=1000`);
  const ids = records.filter((one) => !one.deleted).map((one) => Number(one.upstream_id));
  return ids.toSorted((a, b) => a - b);
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, id) => id);

test('what a tap did not send of a version that it activates at its end is deleted', async () => {
  const first = Date.now();
  const begun = [SCHEMA, activate(first), ...upTo(10, first)];
  expect((await ingest('versions', [...begun, activate(first)])).code).toBe(0);
  const second = Date.now();
  const { code, stderr } = await ingest('versions', [SCHEMA, ...upTo(9, second), activate(second)]);
  expect(code, stderr).toBe(0);
  expect(stderr).toContain('Full pass of crm:users: 1 that did not come deleted, 9 left');
  expect(await left('versions')).toEqual(numbers(9));
  const { events } = await site.cluster.request<{ events: { event: string }[] }>(
    'GET',
    '/v1/events?sync_id=versions&limit=1000',
  );
  expect(events.filter(({ event }) => event === 'deleted')).toHaveLength(1);
});

test('a tap that dies after it has activated a version at its start deletes nothing', async () => {
  expect((await ingest('died', [SCHEMA, ...upTo(10)])).code).toBe(0);
  const version = Date.now();
  expect((await ingest('died', [SCHEMA, activate(version), ...upTo(9, version)])).code).toBe(0);
  expect(await left('died')).toEqual(numbers(10));
});

test('a version of an interrupted run deletes nothing, and stderr says why', async () => {
  expect((await ingest('resumed', [SCHEMA, ...upTo(10)])).code).toBe(0);
  const old = Date.now() - 3_600_000;
  const { code, stderr } = await ingest('resumed', [SCHEMA, ...upTo(9, old), activate(old)]);
  expect(code).toBe(0);
  expect(stderr).toMatch(/^Nothing is deleted of stream users: its version \d+ is older/mu);
  expect(await left('resumed')).toEqual(numbers(10));
});

test('with --full-pass what did not come is deleted, but more than a fifth only when it is confirmed', async () => {
  expect((await ingest('full', [SCHEMA, ...upTo(10)])).code).toBe(0);
  expect((await ingest('full', [SCHEMA, ...upTo(8)])).code).toBe(0); // not said to be all
  expect(await left('full')).toEqual(numbers(10));
  expect((await ingest('full', [SCHEMA, ...upTo(8)], ['--full-pass'])).code).toBe(0);
  expect(await left('full')).toEqual(numbers(8));
  const refused = await ingest('full', [SCHEMA, ...upTo(2)], ['--full-pass']);
  expect(refused.code, refused.stderr).toBe(5);
  expect(refused.stderr).toContain('6 of the 8 records of crm:users did not come');
  expect(refused.stderr).toContain('--confirm-deletes');
  expect(await left('full')).toEqual(numbers(8));
  const confirmed = ['--full-pass', '--confirm-deletes'];
  expect((await ingest('full', [SCHEMA, ...upTo(2)], confirmed)).code).toBe(0);
  expect(await left('full')).toEqual(numbers(2));
  expect((await ingest('full', [SCHEMA], confirmed)).code).toBe(0); // the stream is there, and empty
  expect(await left('full')).toEqual([]);
});

test('a run that does not end well deletes nothing, however it ends', async () => {
  expect((await ingest('broken', [SCHEMA, ...upTo(10)])).code).toBe(0);
  const bad = await ingest('broken', [SCHEMA, ...upTo(9), '{"type":'], ['--full-pass']);
  expect(bad.code).toBe(1);
  const cli = startCli([...flags('broken', 'singer'), '--full-pass'], site.cluster.api, {
    input: null,
  });
  const state = '{"type":"STATE","value":1}';
  cli.child.stdin!.write(text(SCHEMA, ...upTo(9), state));
  await until(() => cli.stdout() === text(state));
  cli.child.kill('SIGINT');
  expect((await cli.ended).code).toBe(130);
  expect(await left('broken')).toEqual(numbers(10));
});

test('of an Airbyte source only streams that it calls complete are whole, and none when it failed', async () => {
  const one = (stream: string, id: number): string =>
    `{"type":"RECORD","record":{"stream":"${stream}","data":{"id":${id}},"emitted_at":1}}`;
  const status = (stream: string, what: string): string =>
    `{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1,"stream_status":{"stream_descriptor":{"name":"${stream}"},"status":"${what}"}}}`;
  const lines = (count: number, end: string): string[] => [
    status('users', 'STARTED'),
    ...numbers(count).map((id) => one('users', id)),
    status('users', end),
  ];
  const more = ['--key', 'users=id', '--full-pass'];
  const run = (count: number, end: string): Promise<CliResult> =>
    ingest('airbyte', lines(count, end), more, 'airbyte');
  expect((await run(10, 'COMPLETE')).code).toBe(0);
  const running = await run(9, 'RUNNING');
  expect(running).toMatchObject({ code: 0 });
  expect(running.stderr).toContain('its source did not say that it is complete');
  expect((await run(9, 'INCOMPLETE')).code).toBe(1);
  expect(await left('airbyte')).toEqual(numbers(10));
  expect((await run(9, 'COMPLETE')).code).toBe(0);
  expect(await left('airbyte')).toEqual(numbers(9));
});

test('a truncated table of Debezium is emptied in its place, and a partial row keeps what is stored', async () => {
  const change = (op: string, id: number, after: object | null): string =>
    JSON.stringify({
      key: { id },
      value: { before: null, after, source: { schema: 'public', table: 'users' }, op },
    });
  const lines = [
    change('c', 1, { id: 1 }),
    change('c', 2, { id: 2 }),
    change('t', 0, null),
    change('c', 3, { id: 3, note: 'long', n: 1 }),
    change('u', 3, { id: 3, note: '__debezium_unavailable_value', n: 2 }),
  ];
  const { code, stderr } = await ingest('truncated', lines, [], 'debezium');
  expect(code, stderr).toBe(0);
  expect(stderr).toContain('crm:public.users was emptied: 2 records deleted');
  const { records } = await site.cluster.request<{ records: unknown[] }>(
    'GET',
    '/v1/records?sync_id=truncated',
  );
  expect(records).toMatchObject([
    { upstream_id: '1', deleted: true },
    { upstream_id: '2', deleted: true },
    { upstream_id: '3', deleted: false, data: { id: 3, note: 'long', n: 2 } },
  ]);
});

// connectors on the stdin of `millrace ingest`, with a real API behind it
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { runCli, startCli, type CliResult } from '../support/cli.ts';
import { openImportSite, type ImportSite } from '../support/importSite.ts';
import { until } from '../support/poll.ts';
import { createProxy } from '../support/proxy.ts';

let site: ImportSite;
beforeAll(async () => {
  site = await openImportSite();
});
afterAll(() => site[Symbol.asyncDispose]());

const RECORDED = new URL('../sources/recorded/', import.meta.url);
const SCHEMA =
  '{"type": "SCHEMA", "stream": "users", "key_properties": ["id"], "schema": {"type": "object"}}';
const record = (id: number | string, more = ''): string =>
  `{"type": "RECORD", "stream": "users", "record": {"id": ${id}${more}}}`;
const state = (value: number | string): string => `{"type": "STATE", "value": {"at": ${value}}}`;

const flags = (sync: string, format = 'singer'): string[] => [
  'ingest',
  '--format',
  format,
  '--sync',
  sync,
  '--provider',
  'crm',
];
const text = (...lines: string[]): string => lines.map((line) => `${line}\n`).join('');

function ingest(sync: string, input: string, more: string[] = []): Promise<CliResult> {
  return runCli([...flags(sync), ...more], site.cluster.api, { input, cwd: site.folder });
}

interface Found {
  collection_id: string;
  upstream_id: string;
  deleted: boolean;
  data: Record<string, unknown>;
}

async function stored(sync: string): Promise<Found[]> {
  const path = `/v1/records?sync_id=${sync}&limit=1000`;
  return (await site.cluster.request<{ records: Found[] }>('GET', path)).records;
}
const ids = async (sync: string): Promise<string[]> =>
  (await stored(sync)).map((one) => one.upstream_id);

test('records of a tap are stored with their exact numbers, and stdout has its STATE lines and nothing else', async () => {
  const [first, last] = [state('1.10'), state(2)];
  const input = text(
    SCHEMA,
    record('9007199254740993', ', "rate": 1.10'),
    first,
    record('"b"'),
    last,
  );
  const { code, stdout, stderr } = await ingest('exact', input);
  expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: text(first, last) });
  expect(stderr).toContain('Stored 2 records of 1 stream: 2 created');
  const answer = await fetch(`${site.cluster.api.MILLRACE_URL}/v1/records?sync_id=exact`, {
    headers: { authorization: `Bearer ${site.cluster.api.MILLRACE_API_KEY}` },
  });
  const body = await answer.text();
  expect(body).toContain('"data":{"id":9007199254740993,"rate":1.1}');
  expect(body).toContain('"collection_id":"crm:users","upstream_id":"9007199254740993"');
  expect(await ids('exact')).toEqual(['9007199254740993', 'b']);
  const again = await ingest('exact', input);
  expect(again.stderr).toContain('2 unchanged');
});

test('a record that a tap calls deleted is deleted, and keeps its data', async () => {
  const gone = record(1, ', "_sdc_deleted_at": "2026-11-30T00:00:00Z"');
  const input = text(SCHEMA, record(1, ', "name": "Ada"'), gone);
  expect((await ingest('deleted', input)).code).toBe(0);
  expect(await stored('deleted')).toMatchObject([{ deleted: true, data: { id: 1, name: 'Ada' } }]);
});

test('a STATE is printed while the tap goes on, once what came before it is stored', async () => {
  const cli = startCli(flags('live'), site.cluster.api, { input: null });
  cli.child.stdin!.write(text(SCHEMA, record(1), state(1)));
  await until(() => cli.stdout() === text(state(1)));
  expect(await ids('live')).toEqual(['1']);
  cli.child.stdin!.end(record(2));
  expect((await cli.ended).code).toBe(0);
  expect(await ids('live')).toEqual(['1', '2']);
});

test('while the API is away it is tried again, an answer that was lost repeats nothing, and order stays', async () => {
  await using proxy = await createProxy(site.cluster.api.MILLRACE_URL);
  proxy.loseAnswerTo('"lost"');
  const env = { ...site.cluster.api, MILLRACE_URL: proxy.url };
  const cli = startCli(flags('away'), env, { input: null });
  cli.child.stdin!.write(text(SCHEMA, record('"lost"'), state(1)));
  await until(() => cli.stdout() === text(state(1)));
  expect(proxy.lost).toBe(1);
  proxy.setAway(true);
  cli.child.stdin!.end(text(record(2), state(2)));
  await until(() => cli.stderr().includes('retrying'));
  expect(cli.stdout()).toBe(text(state(1)));
  proxy.setAway(false);
  expect(await cli.ended).toMatchObject({ code: 0, stdout: text(state(1), state(2)) });
  expect(await ids('away')).toEqual(['lost', '2']);
  const events = await site.cluster.request<{ events: unknown[] }>(
    'GET',
    '/v1/events?sync_id=away&limit=1000',
  );
  expect(events.events).toHaveLength(2);
});

test('Ctrl-C prints no STATE whose records are not stored, and ends with 130', async () => {
  const cli = startCli(flags('interrupted'), site.cluster.api, { input: null });
  cli.child.stdin!.write(text(SCHEMA, record(1), state(1)));
  await until(() => cli.stdout() === text(state(1)));
  cli.child.stdin!.write(text(record(2), state(2)));
  cli.child.kill('SIGINT');
  const { code, stdout, stderr } = await cli.ended;
  expect(code, stderr).toBe(130);
  const isLast = stdout === text(state(1), state(2));
  expect([text(state(1)), text(state(1), state(2))]).toContain(stdout);
  if (isLast) expect(await ids('interrupted')).toEqual(['1', '2']);
  expect(stderr).toMatch(/Stored [12] records?/u);
});

test('Ctrl-C while an append is on its way prints the STATE whose records the API then confirms', async () => {
  await using proxy = await createProxy(site.cluster.api.MILLRACE_URL);
  const env = { ...site.cluster.api, MILLRACE_URL: proxy.url };
  const cli = startCli(flags('on-its-way'), env, { input: null });
  const many = Array.from({ length: 2_000 }, (_, id) => record(id, `, "x": "${'x'.repeat(900)}"`));
  cli.child.stdin!.write(text(SCHEMA, ...many.slice(0, 500), state(1), ...many.slice(500)));
  await until(async () => (await ids('on-its-way')).length > 0); // a part of the request is stored
  cli.child.kill('SIGINT');
  const { code, stdout, stderr } = await cli.ended;
  expect(code, stderr).toBe(130);
  expect(stdout).toBe(text(state(1)));
});

test('when nobody reads its stdout any more, it does not end with 0', async () => {
  const cli = startCli(flags('unread'), site.cluster.api, { input: null });
  cli.child.stdout!.destroy();
  cli.child.stdin!.write(text(SCHEMA, record(1), state(1)));
  expect((await cli.ended).code).toBe(130);
});

test('a line that can not be used ends it with its number, and everything before it is stored', async () => {
  const input = text(SCHEMA, record(1), state(1), record('null'), state(2));
  const { code, stdout, stderr } = await ingest('bad-line', input);
  expect({ code, stdout }).toEqual({ code: 1, stdout: text(state(1)) });
  expect(stderr).toMatch(
    /^Line 4: the key of a RECORD of stream users can't be used: "id" is null$/mu,
  );
  expect(await ids('bad-line')).toEqual(['1']);
});

test('a record that only the API refuses is named by its line, and STATEs before it are printed', async () => {
  const large = record(2, `, "x": "${'x'.repeat(1024 * 1024)}"`);
  const input = text(SCHEMA, record(1), state(1), large, state(2), record(3));
  const { code, stdout, stderr } = await ingest('too-large', input);
  expect({ code, stdout }).toEqual({ code: 1, stdout: text(state(1)) });
  expect(stderr).toContain('Line 4: the record "2" of stream users is refused: /data is larger');
  expect(await ids('too-large')).toEqual(['1']);
});

test('a stream without a key is refused in words, and --key gives it one', async () => {
  const keyless = SCHEMA.replace('["id"]', '[]');
  const refused = await ingest('keyless', text(keyless, record(1), state(1)));
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toContain('stream users has no key_properties');
  expect(refused.stderr).toContain('--key users=FIELD');
  const input = text(keyless, record(1, ', "shop": "a"'));
  expect((await ingest('keyless', input, ['--key', 'users=shop,id'])).code).toBe(0);
  expect(await ids('keyless')).toEqual(['["a",1]']);
});

test('--state keeps the last state in the form that a tap takes, --state-values prints it so', async () => {
  const path = join(site.folder, 'tap-state.json');
  const input = text(state(0), SCHEMA, record(1), state('1.10'), record('{}'), state(3));
  const { code, stdout } = await ingest('state', input, ['--state', path, '--state-values']);
  expect({ code, stdout }).toEqual({ code: 1, stdout: text('{"at": 0}', '{"at": 1.10}') });
  expect(await readFile(path, 'utf8')).toBe('{"at": 1.10}\n');
});

test('what a real Airbyte source printed is stored, and its states are kept stream by stream', async () => {
  const catalog = new URL('source-faker.catalog.json', RECORDED).pathname;
  const path = join(site.folder, 'source-state.json');
  const input = await readFile(new URL('source-faker.jsonl', RECORDED), 'utf8');
  const args = [...flags('faker', 'airbyte'), '--catalog', catalog, '--state', path];
  const { code, stdout, stderr } = await runCli(args, site.cluster.api, { input });
  expect(code, stderr).toBe(0);
  const lines = input.split('\n').filter((line) => line.includes('"type":"STATE"'));
  expect(stdout).toBe(text(...lines));
  const found = await stored('faker');
  expect(found).toHaveLength(15);
  expect(new Set(found.map((one) => one.collection_id))).toEqual(
    new Set(['crm:products', 'crm:users', 'crm:purchases']),
  );
  type Kept = { type: string; stream: { stream_descriptor: { name: string } } }[];
  const names = async (): Promise<string[]> =>
    (JSON.parse(await readFile(path, 'utf8')) as Kept).map(
      (one) => one.stream.stream_descriptor.name,
    );
  expect(await names()).toEqual(['products', 'users', 'purchases']);
  const only = text(lines[1]!.replace('"recordCount":5.0', '"recordCount":0.0'));
  expect((await runCli(args, site.cluster.api, { input: only })).code).toBe(0);
  expect((await names()).toSorted()).toEqual(['products', 'purchases', 'users']);
});

test('a source that says that it failed ends with 1, and so does a STATE of records that did not come', async () => {
  const one = '{"type":"RECORD","record":{"stream":"users","data":{"id":1},"emitted_at":1}}';
  const counted = (count: number): string =>
    `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"}},"sourceStats":{"recordCount":${count}}}}`;
  const error =
    '{"type":"TRACE","trace":{"type":"ERROR","emitted_at":1,"error":{"message":"Your key expired","failure_type":"config_error"}}}';
  const args = [...flags('failing', 'airbyte'), '--key', 'users=id'];
  const failed = await runCli(args, site.cluster.api, { input: text(one, counted(1), error) });
  expect(failed).toMatchObject({ code: 1, stdout: text(counted(1)) });
  expect(failed.stderr).toContain('The source failed: config_error: Your key expired');
  const lost = await runCli(args, site.cluster.api, { input: text(one, counted(2)) });
  expect(lost).toMatchObject({ code: 1, stdout: '' });
  expect(lost.stderr).toContain(
    'Line 2: the STATE of stream users speaks of 2 records, and 1 came',
  );
});

test('changes of Debezium become records, updates and deletions, in their order', async () => {
  const change = (op: string, row: string | null): string => {
    const value = `{"before":null,"after":${op === 'd' ? 'null' : row},"source":{"schema":"public","table":"users"},"op":"${op}"}`;
    return JSON.stringify({ topic: 't', offset: 1, key: '{"id":1}', payload: row && value });
  };
  const input = text(
    change('c', '{"id":1,"n":1}'),
    change('u', '{"id":1,"n":2}'),
    change('d', '{}'),
    change('d', null),
  );
  const { code, stdout } = await runCli(flags('debezium', 'debezium'), site.cluster.api, { input });
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  expect(await stored('debezium')).toMatchObject([
    { collection_id: 'crm:public.users', upstream_id: '1', deleted: true, data: { id: 1, n: 2 } },
  ]);
  const { events } = await site.cluster.request<{ events: { event: string }[] }>(
    'GET',
    '/v1/events?sync_id=debezium',
  );
  expect(events.map(({ event }) => event)).toEqual(['created', 'updated', 'deleted']);
});

test.each<[string, string[], RegExp]>([
  ['a provider with a colon', ['--provider', 'a:b'], /--provider must have .* no colon/u],
  ['an empty sync', ['--sync', ''], /--sync must have 1 to 255/u],
  ['an unknown format', ['--format', 'csv'], /singer, airbyte, debezium/u],
  ['a key without a field', ['--key', 'users'], /--key takes STREAM=FIELD/u],
  ['a catalog for a tap', ['--catalog', 'c.json'], /--catalog is only for --format airbyte/u],
  [
    'a catalog that is not there',
    ['--format', 'airbyte', '--catalog', 'no.json'],
    /no\.json can't/u,
  ],
  [
    'a catalog that is none',
    ['--format', 'airbyte', '--catalog', 'some.json'],
    /not a configured/u,
  ],
  ['a state file that is none', ['--state', 'some.txt'], /some\.txt is not JSON/u],
  ['a state file in no folder', ['--state', 'no/state.json'], /can't be written \(ENOENT\)/u],
  ['a full pass of Debezium', ['--format', 'debezium', '--full-pass'], /--full-pass has no use/u],
  ['a state of Debezium', ['--format', 'debezium', '--state', 's.json'], /--state has no use/u],
])('%s is refused before anything is read', async (_what, more, words) => {
  await site.file('some.json', '{"streams":[{}]}');
  await site.file('some.txt', 'hello');
  const { code, stderr } = await ingest('refused', text(SCHEMA, record(1)), more);
  expect(stderr).toMatch(words);
  expect(code).toBe(2);
  expect(await ids('refused')).toEqual([]);
});

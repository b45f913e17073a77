// source-faker.jsonl is what airbyte-source-faker 7.2.1 (CDK 6.61.6) from PyPI printed for
// `source-faker read --config {"count": 5, "seed": 1} --catalog source-faker.catalog.json`
import { readFile } from 'node:fs/promises';

import { expect, test } from 'vitest';

import { createAirbyteReader } from '../../src/sources/messages/airbyte.ts';
import { keysOfCatalog } from '../../src/sources/messages/airbyteCatalog.ts';
import type { GivenKeys, Message } from '../../src/sources/messages/message.ts';

const RECORDED = new URL('recorded/', import.meta.url);
const users: GivenKeys = new Map([['users', [['id']]]]);

function last(lines: readonly string[], keys = users): Message | undefined {
  return lines.map(createAirbyteReader({ keys })).at(-1);
}

const record = (data: string, more = ''): string =>
  `{"type":"RECORD","record":{"stream":"users","data":${data},"emitted_at":1796000586960${more}}}`;
const state = (count: string, name = 'users'): string =>
  `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"${name}"},"stream_state":{"at":1.0}},"sourceStats":{"recordCount":${count}}}}`;
const trace = (fields: string): string => `{"type":"TRACE","trace":{${fields}}}`;

test('what a real source printed is read: its records with their keys, its states, and its log', async () => {
  const catalog = JSON.parse(
    await readFile(new URL('source-faker.catalog.json', RECORDED), 'utf8'),
  );
  const lines = (await readFile(new URL('source-faker.jsonl', RECORDED), 'utf8'))
    .trim()
    .split('\n');
  const messages = lines.map(createAirbyteReader({ keys: keysOfCatalog(catalog)! }));
  const of = (kind: Message['kind']) => messages.filter((one) => one.kind === kind);
  const ids = of('record').map((one) => one.kind === 'record' && `${one.stream} ${one.upstreamId}`);
  const five = (stream: string) => [1, 2, 3, 4, 5].map((id) => `${stream} ${id}`);
  expect(ids).toEqual([...five('products'), ...five('users'), ...five('purchases')]);
  expect(of('state')).toHaveLength(3);
  expect(of('log').length).toBeGreaterThan(10);
  expect([...of('problem'), ...of('failure'), ...of('ignored')]).toEqual([]);
});

test('a RECORD has the exact text of its data; a namespace is a part of its stream', () => {
  const keys: GivenKeys = new Map([['public.users', [['owner', 'id'], ['at']]]]);
  const data = '{"owner": {"id": 9007199254740993}, "at": "x", "n": 1.10}';
  expect(last([record(data, ',"namespace":"public"')], keys)).toEqual({
    kind: 'record',
    stream: 'public.users',
    upstreamId: '[9007199254740993,"x"]',
    data,
    deleted: false,
    merge: false,
    version: null,
    nulled: 0,
  });
});

test('a record with _ab_cdc_deleted_at is deleted', () => {
  const at = (value: string): string => record(`{"id":1,"_ab_cdc_deleted_at":${value}}`);
  expect(last([at('"2026-11-30T00:00:00Z"')])).toMatchObject({ deleted: true, data: null });
  expect(last([at('null')])).toMatchObject({ deleted: false });
});

test('a stream without a primary key is refused in words that say what to do', () => {
  expect(last([record('{"id":1}')], new Map())).toMatchObject({
    kind: 'problem',
    detail: expect.stringContaining('stream users has no primary key'),
    hint: expect.stringMatching(/--catalog FILE.*--key users=FIELD/u),
  });
});

test('a STATE is its line, and its part speaks of one stream, of all, or replaces everything', () => {
  const [line, one] = [state('0.0'), state('0.0').slice('{"type":"STATE","state":'.length, -1)];
  expect(last([line])).toEqual({
    kind: 'state',
    text: line,
    value: one,
    subject: 'users',
    isListed: true,
  });
  const global = '{"type":"GLOBAL","global":{"shared_state":{"lsn":1},"stream_states":[]}}';
  expect(last([`{"type":"STATE","state":${global}}`])).toMatchObject({
    value: global,
    subject: null,
    isListed: true,
  });
  expect(last(['{"type":"STATE","state":{"data":{"cursor":1.10}}}'])).toMatchObject({
    value: '{"cursor":1.10}',
    isListed: false,
  });
});

test('a STATE that speaks of more records than came since the last one is a problem', () => {
  const two = [record('{"id":1}'), record('{"id":2}')];
  expect(last([...two, state('2.0')])).toMatchObject({ kind: 'state' });
  expect(last([...two, state('1.0')])).toMatchObject({ kind: 'state' }); // nothing is lost
  expect(last([...two, state('2.0'), state('0.0')])).toMatchObject({ kind: 'state' });
  expect(last([...two, state('0.0', 'others'), state('2.0')])).toMatchObject({ kind: 'state' });
  expect(last([...two, state('3.0')])).toMatchObject({
    kind: 'problem',
    detail: expect.stringMatching(/STATE of stream users speaks of 3 records, and 2 came/u),
  });
  expect(last([...two, state('2.0'), record('{"id":3}'), state('2.0')])).toMatchObject({
    kind: 'problem',
  });
  const global =
    '{"type":"STATE","state":{"type":"GLOBAL","global":{"stream_states":[]},"sourceStats":{"recordCount":3}}}';
  expect(last([...two, global])).toMatchObject({
    kind: 'problem',
    detail: expect.stringContaining('the STATE speaks of 3 records'),
  });
});

test('an error, and a stream that ended INCOMPLETE, are failures of the source', () => {
  const error =
    '"type":"ERROR","emitted_at":1796000586960,"error":{"message":"Your key expired","internal_message":"401","stack_trace":"Traceback…","failure_type":"config_error"}';
  expect(last([trace(error)])).toEqual({ kind: 'failure', text: 'config_error: Your key expired' });
  const status = (one: string): string =>
    `"type":"STREAM_STATUS","emitted_at":1.0,"stream_status":{"stream_descriptor":{"name":"users"},"status":"${one}"}`;
  expect(last([trace(status('INCOMPLETE'))])).toEqual({
    kind: 'failure',
    text: 'stream users ended before it was complete',
  });
  expect(last([trace(status('COMPLETE'))])).toEqual({
    kind: 'complete',
    stream: 'users',
    version: null,
  });
  expect(last([trace(status('STARTED'))])).toMatchObject({ kind: 'stream', hasStatus: true });
  expect(last([trace(status('RUNNING'))])).toEqual({ kind: 'nothing' });
});

test('what is no JSON is a log line of the source, unless it begins like a message', () => {
  expect(last(['Traceback (most recent call last):'])).toMatchObject({ kind: 'log' });
  expect(last(['{"type":"RECORD","rec'])).toMatchObject({ kind: 'problem' });
  expect(last(['{"type":"LOG","log":{"level":"WARN","message":"slow"}}'])).toEqual({
    kind: 'log',
    text: 'WARN slow',
  });
  expect(last(['{"type":"CONTROL","control":{"type":"CONNECTOR_CONFIG"}}'])).toMatchObject({
    kind: 'ignored',
    why: expect.stringContaining('new configuration'),
  });
  expect(last(['{"type":"SPEC","spec":{}}'])).toEqual({ kind: 'ignored', type: 'SPEC', why: null });
});

test('a catalog gives the configured keys, else those of the source, by stream', () => {
  const stream = (fields: object): object => ({ json_schema: {}, ...fields });
  const catalog = {
    streams: [
      { stream: stream({ name: 'a', source_defined_primary_key: [['id']] }), primary_key: [] },
      { stream: stream({ name: 'b', namespace: 'n' }), primary_key: [['x', 'y'], ['z']] },
      { stream: stream({ name: 'c' }) },
    ],
  };
  expect([...keysOfCatalog(catalog)!]).toEqual([
    ['a', [['id']]],
    ['n.b', [['x', 'y'], ['z']]],
    ['c', []],
  ]);
  for (const other of [null, [], {}, { streams: [{}] }, { streams: {} }]) {
    expect(keysOfCatalog(other)).toBeNull();
  }
});

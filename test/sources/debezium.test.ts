// the events are those of Debezium's tutorial (MySQL and PostgreSQL connectors), shortened in their schemas
import { expect, test } from 'vitest';

import { createDebeziumReader } from '../../src/sources/messages/debezium.ts';
import type { GivenKeys } from '../../src/sources/messages/message.ts';

const SOURCE =
  '{"version":"3.3.0.Final","connector":"postgresql","name":"dbserver1","ts_ms":1559033904863,"snapshot":"true","db":"postgres","sequence":"[\\"24023119\\",\\"24023128\\"]","schema":"public","table":"customers","txId":555,"lsn":24023128,"xmin":null}';
const MYSQL =
  '{"version":"3.3.0.Final","connector":"mysql","name":"mysql-server-1","ts_ms":0,"snapshot":"false","db":"inventory","table":"customers","server_id":0,"gtid":null,"file":"mysql-bin.000003","pos":154,"row":0}';
const ANNE = '{"id":1004,"first_name":"Anne","balance":100.10,"big":9007199254740993}';

const event = (op: string, before: string, after: string, source = SOURCE): string =>
  `{"before":${before},"after":${after},"source":${source},"op":"${op}","ts_ms":1559033904863}`;
const pair = (key: string, value: string, more = ''): string =>
  `{"key":${key},"value":${value}${more}}`;
const kcat = (key: string | null, value: string | null): string =>
  `{"topic":"dbserver1.public.customers","partition":0,"offset":3,"tstype":"create","ts":1559033904863,"broker":1,"key":${JSON.stringify(key)},"payload":${JSON.stringify(value)}}`;
const withSchema = (payload: string): string =>
  `{"schema":{"type":"struct","fields":[],"optional":false,"name":"dbserver1.public.customers.Envelope"},"payload":${payload}}`;

function last(lines: readonly string[], keys: GivenKeys = new Map()): unknown {
  return lines.map(createDebeziumReader({ keys })).at(-1);
}

const anne = {
  kind: 'record',
  stream: 'public.customers',
  upstreamId: '1004',
  data: ANNE,
  deleted: false,
  merge: false,
  version: null,
  nulled: 0,
};

test.each([
  ['a key and a value', pair('{"id":1004}', event('c', 'null', ANNE))],
  [
    'both with their schemas',
    pair(withSchema('{"id":1004}'), withSchema(event('c', 'null', ANNE))),
  ],
  [
    'both in payloads alone',
    pair('{"payload":{"id":1004}}', `{"payload":${event('u', ANNE, ANNE)}}`),
  ],
  ['what kcat -J prints', kcat('{"id":1004}', event('r', 'null', ANNE))],
  ['kcat -J with schemas', kcat(withSchema('{"id":1004}'), withSchema(event('c', 'null', ANNE)))],
  ['a key that is a plain text', kcat('1004', event('c', 'null', ANNE))],
  ['texts in strings', pair('"{\\"id\\":1004}"', JSON.stringify(event('c', 'null', ANNE)))],
])('%s: the record has the exact text of its row, and the key of the message', (_form, line) => {
  expect(last([line])).toEqual(anne);
});

test('a value alone needs a key that is given, by field; several fields are an array', () => {
  const line = event('c', 'null', ANNE);
  expect(last([line])).toMatchObject({
    kind: 'problem',
    detail: expect.stringContaining('public.customers comes without its key'),
    hint: expect.stringMatching(/"key":….*--key public.customers=FIELD/u),
  });
  expect(last([line], new Map([['public.customers', [['id']]]]))).toEqual(anne);
  const both: GivenKeys = new Map([['public.customers', [['first_name'], ['id']]]]);
  expect(last([pair('{"id":1}', line)], both)).toMatchObject({ upstreamId: '["Anne",1004]' });
  expect(last([pair('{"a":1,"b":"x"}', line)])).toMatchObject({ upstreamId: '[1,"x"]' });
});

test('where there are no schemas, a stream is named by its database', () => {
  const line = pair('{"id":1004}', event('c', 'null', ANNE, MYSQL));
  expect(last([line])).toMatchObject({ stream: 'inventory.customers' });
});

test('a document of MongoDB, which comes as a string, is read as it is', () => {
  const source = '{"connector":"mongodb","db":"inventory","collection":"customers"}';
  const row = '{"_id":{"$numberLong":"1004"},"name":"Anne \\"A\\""}';
  const line = pair('{"id":"1004"}', event('c', 'null', JSON.stringify(row), source));
  expect(last([line])).toMatchObject({ stream: 'inventory.customers', data: row });
});

test('op d deletes by the key, and the tombstone that follows it deletes once more at most', () => {
  const deletion = kcat('{"id":1004}', event('d', ANNE, 'null'));
  const deleted = { ...anne, data: null, deleted: true };
  expect(last([deletion])).toEqual(deleted);
  expect(last([deletion, kcat('{"id":1004}', null)])).toEqual(deleted);
  const own: GivenKeys = new Map([['public.customers', [['first_name']]]]);
  expect(last([deletion], own)).toMatchObject({ upstreamId: 'Anne', deleted: true });
});

test('a tombstone whose table is not known is ignored in words', () => {
  for (const line of [
    pair('{"id":1004}', 'null'),
    kcat('{"id":1}', null),
    pair('{}', withSchema('null')),
  ]) {
    expect(last([line])).toMatchObject({ kind: 'ignored', type: 'tombstone' });
  }
});

test('of a row whose large values the database did not log, the others are merged with what is stored', () => {
  const row = `{"id":1004, "note":"__debezium_unavailable_value", "big":9007199254740993}`;
  expect(last([pair('{"id":1004}', event('u', 'null', row))])).toEqual({
    ...anne,
    data: '{"id":1004,"big":9007199254740993}',
    merge: true,
  });
});

test('a truncated table empties its stream', () => {
  const line = `{"source":${SOURCE},"op":"t","ts_ms":1559033904863}`;
  expect(last([pair('null', line)])).toEqual({ kind: 'truncate', stream: 'public.customers' });
});

test('heartbeats, transactions, schema changes and logical messages have no effect', () => {
  expect(last([withSchema('{"ts_ms":1559033904863}')])).toEqual({ kind: 'nothing' });
  const begin = '{"status":"BEGIN","id":"571:53195829","ts_ms":1486500577125,"event_count":null}';
  expect(last([begin])).toMatchObject({ kind: 'ignored', type: 'transaction boundary' });
  const ddl = `{"source":${MYSQL},"databaseName":"inventory","ddl":"ALTER TABLE …","tableChanges":[]}`;
  expect(last([ddl])).toMatchObject({ kind: 'ignored', type: 'schema change' });
  const logical = `{"op":"m","ts_ms":1559033904863,"source":${SOURCE},"message":{"prefix":"x"}}`;
  expect(last([logical])).toMatchObject({ kind: 'ignored', type: 'logical decoding message' });
});

test.each([
  ['{"id":1,"first_name":"Anne","__op":"c"}', /it has no op/u],
  [pair('{"id":1}', event('c', 'null', 'null')), /public.customers has no after/u],
  [pair('{"id":1}', event('x', 'null', ANNE)), /its op is x/u],
  [pair('{"id":1}', event('c', 'null', ANNE, 'null')), /its source names no table/u],
  [pair('{"id":null}', event('c', 'null', ANNE)), /"id" is null/u],
  [kcat('{"id":1}', 'Struct{id=1}'), /its value is not a JSON object/u],
  [pair('{"id":1}', '[]'), /its value is not a JSON object/u],
  ['{"key":1,"value":', /not a JSON object/u],
])('%s is a problem in words', (line, detail) => {
  expect(last([line])).toMatchObject({ kind: 'problem', detail: expect.stringMatching(detail) });
});

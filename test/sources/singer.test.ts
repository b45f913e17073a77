// the messages are those of the Singer specification 0.3.0 and of singer-python, as they are printed
import { expect, test } from 'vitest';

import type { GivenKeys } from '../../src/sources/messages/message.ts';
import { createSingerReader } from '../../src/sources/messages/singer.ts';

const SCHEMA =
  '{"type": "SCHEMA", "stream": "users", "key_properties": ["id"], "schema": {"required": ["id"], "type": "object", "properties": {"id": {"type": "integer"}}}}';

/** What the last of these lines says. */
function last(lines: readonly string[], keys: GivenKeys = new Map()): unknown {
  const read = createSingerReader({ keys });
  return lines.map(read).at(-1);
}

const record = (fields: string, more = ''): string =>
  `{"type": "RECORD", "stream": "users", "record": ${fields}${more}}`;

test('a RECORD has the exact text of its data, and the key of its SCHEMA', () => {
  const data = '{"id": 9007199254740993, "rate": 0.10, "name": "Mi\\u00e9"}';
  expect(last([SCHEMA, record(data, ', "time_extracted": "2017-11-20T16:45:33.000Z"')])).toEqual({
    kind: 'record',
    stream: 'users',
    upstreamId: '9007199254740993',
    data,
    deleted: false,
    merge: false,
    version: null,
    nulled: 0,
  });
});

test('types are read in upper and in lower case', () => {
  const lines = [
    SCHEMA.replace('SCHEMA', 'schema'),
    record('{"id": 1}').replace('RECORD', 'Record'),
  ];
  expect(last(lines)).toMatchObject({ kind: 'record', upstreamId: '1' });
});

test('a STATE is its line, with its value apart, also before anything else and with no value of sense', () => {
  const value = '{"bookmarks": {"users": 1e0, "odd": [1.10]}}';
  const line = `{"type": "STATE", "value": ${value}}`;
  expect(last([line])).toEqual({
    kind: 'state',
    text: line,
    value,
    subject: null,
    isListed: false,
  });
  expect(last(['{"type":"STATE"}'])).toMatchObject({ kind: 'state', value: 'null' });
});

test.each([
  ['["a", "b"]', '{"b": 1.0, "a": "\\u00e9"}', '["é",1.0]'],
  ['["a", "b"]', '{"b": null, "a": true}', '[true,null]'],
  ['["a"]', '{"a": false}', 'false'],
  ['["a"]', '{"a": "two words"}', 'two words'],
])('with key_properties %s the record %s has the id %s', (key, fields, upstreamId) => {
  expect(last([SCHEMA.replace('["id"]', key), record(fields)])).toMatchObject({ upstreamId });
});

test.each([
  ['["a"]', '{"b": 1}', /stream users .*"a" is missing/u],
  ['["a"]', '{"a": null}', /"a" is null/u],
  ['["a"]', '{"a": NaN}', /"a" is null/u],
  ['["a", "b"]', '{"a": null, "b": null}', /"a", "b" is null/u],
  ['["a"]', '{"a": {"b": 1}}', /"a" is an object or an array/u],
  ['["a"]', '{"a": ""}', /is empty/u],
  ['["a"]', '{"a": "\\u0000"}', /does not store/u],
  ['["a"]', '3', /stream users has no record/u],
])('with key_properties %s the record %s is a problem in words', (key, fields, detail) => {
  expect(last([SCHEMA.replace('["id"]', key), record(fields)])).toMatchObject({
    kind: 'problem',
    detail: expect.stringMatching(detail),
  });
});

test.each(['"key_properties": []', '"key_properties": null', '"bookmark_properties": ["at"]'])(
  'a stream with %s is refused at its first RECORD, in words that say what to do, unless a key is given',
  (properties) => {
    const lines = [SCHEMA.replace('"key_properties": ["id"]', properties), record('{"id": 7}')];
    expect(last(lines.slice(0, 1))).toMatchObject({ kind: 'stream', stream: 'users' });
    expect(last(lines)).toMatchObject({
      kind: 'problem',
      detail: expect.stringContaining('stream users has no key_properties'),
      hint: expect.stringContaining('--key users=FIELD'),
    });
    expect(last(lines, new Map([['users', [['id']]]]))).toMatchObject({ upstreamId: '7' });
  },
);

test('a RECORD before its SCHEMA is a problem, unless a key is given', () => {
  expect(last([record('{"id": 1}')])).toMatchObject({
    kind: 'problem',
    detail: expect.stringContaining('before its SCHEMA'),
  });
  expect(last([record('{"id": 1}')], new Map([['users', [['id']]]]))).toMatchObject({
    upstreamId: '1',
  });
});

test('a record with _sdc_deleted_at is deleted, and one where it is null is not', () => {
  const at = (value: string): string => record(`{"id": 1, "_sdc_deleted_at": ${value}}`);
  expect(last([SCHEMA, at('"2026-11-30T00:00:00Z"')])).toMatchObject({ deleted: true, data: null });
  expect(last([SCHEMA, at('null')])).toMatchObject({
    deleted: false,
    data: '{"id": 1, "_sdc_deleted_at": null}',
  });
});

test('NaN in a record becomes null and is counted', () => {
  expect(last([SCHEMA, record('{"id": 1, "score": NaN}')])).toMatchObject({
    data: '{"id": 1, "score": null}',
    nulled: 1,
  });
});

test('BATCH is refused in words', () => {
  const batch =
    '{"type": "BATCH", "stream": "users", "encoding": {"format": "jsonl", "compression": "gzip"}, "manifest": ["file://path/to/users-batch-1.jsonl.gz"]}';
  expect(last([SCHEMA, batch])).toMatchObject({
    kind: 'problem',
    detail: expect.stringContaining('BATCH of stream users names files'),
    hint: expect.stringContaining('batch_config'),
  });
});

test('ACTIVATE_VERSION says of which version the records before it are all', () => {
  expect(last([SCHEMA, record('{"id": 1}', ', "version": 1700000000000')])).toMatchObject({
    version: '1700000000000',
  });
  const activation = '{"type": "ACTIVATE_VERSION", "stream": "users", "version": 1700000000000}';
  expect(last([activation])).toEqual({
    kind: 'complete',
    stream: 'users',
    version: '1700000000000',
  });
  expect(last(['{"type": "ACTIVATE_VERSION", "stream": "users"}'])).toMatchObject({
    kind: 'problem',
  });
});

test('other types are ignored by name, and what is no message is a problem', () => {
  expect(last(['{"type": "COFFEE"}'])).toEqual({ kind: 'ignored', type: 'COFFEE', why: null });
  for (const line of ['{}', '{"type": 1}', 'INFO starting', '{"type": "RECORD"', '[1]', 'null']) {
    expect(last([line])).toMatchObject({ kind: 'problem' });
  }
});

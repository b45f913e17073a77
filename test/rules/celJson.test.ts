import { expect, test } from 'vitest';

import { BodyFault } from '../../src/rules/bodyFault.ts';
import { bodyShape } from '../../src/rules/bodyShape.ts';
import { CelError } from '../../src/rules/cel.ts';
import { cpuMsOf } from '../support/cpuTime.ts';

/** A record's body with this data. */
const bodyOf = (data: string): string =>
  `{"record":{"sync_id":"s","collection_id":"a:b","upstream_id":"r-1","version_id":"v-1","updated_idx":3,"data":${data},"deleted":false}}`;

function mapped(expression: string, data = '{}'): string {
  return bodyShape({ mode: 'map', expression }, 'records')!.of(bodyOf(data));
}

const BIG = '{"a":9007199254740993,"b":12345678901234567890,"c":-9223372036854775808}';

test.each([
  ['an object', '{"text": record.upstream_id, "n": 1}', '{"text":"r-1","n":1}'],
  ['a list', '[1, "a", true, null]', '[1,"a",true,null]'],
  ['a text', '"a\\"ü😀\\n"', '"a\\"ü😀\\n"'],
  ['an integer beyond 2^53', '9007199254740993', '9007199254740993'],
  ['an integer that was computed', '9007199254740993 + 2', '9007199254740995'],
  ['an unsigned integer', '18446744073709551615u', '18446744073709551615'],
  ['a double', '1.5 * 2.0', '3'],
  ['a large double', '1e300', '1e+300'],
  ['a time', 'timestamp("2026-11-30T08:00:00.5+01:00")', '"2026-11-30T07:00:00.500Z"'],
  ['a duration', 'duration("90m")', '"5400s"'],
  ['a duration with a fraction', 'duration("-1.5s")', '"-1.5s"'],
  ['an object with keys that are no texts', '{1: "a", true: "b"}', '{"1":"a","true":"b"}'],
  ['nothing of an optional', 'record.data.?a.orValue("none")', '"none"'],
])('the result of an expression is sent as JSON: %s', (_what, expression, json) => {
  expect(mapped(expression)).toBe(json);
});

test('integers of the data go through an expression as they are', () => {
  expect(mapped('record.data', BIG)).toBe(BIG);
  expect(mapped('{"a": record.data.a}', BIG)).toBe('{"a":9007199254740993}');
});

test.each([
  [
    'a field that is not there',
    'record.data.email',
    /the expression of the body has no value: .*email/u,
  ],
  ['infinity', '1.0 / 0.0', /has Infinity, which JSON can't write/u],
  ['not a number', '0.0 / 0.0', /has NaN, which JSON can't write/u],
  ['a number of the data that no double holds', 'record.data.huge', /has Infinity/u],
  ['a type', 'type(1)', /has a value that JSON has no form for/u],
  ['an optional value', 'record.data.?a', /has a value that JSON has no form for/u],
  ['a type within lists', 'record.data.list.map(x, x.map(y, type(y)))', /no form/u],
])('an expression whose result has no JSON fails: %s', (_what, expression, sentence) => {
  const data = '{"huge":1e400,"list":[[1]]}';
  expect(() => mapped(expression, data)).toThrow(BodyFault);
  expect(() => mapped(expression, data)).toThrow(sentence);
});

test('a result of more than 1 MiB fails, and one that shares its parts does so before it is written', () => {
  const text = `"${'ü'.repeat(500_000)}"`; // 1,000,000 bytes
  expect(mapped('record.data', text)).toBe(text);
  expect(() => mapped('[record.data, record.data]', text)).toThrow(
    'the result of the expression is larger than 1 MiB',
  );
  const large = `{"l":[0,1,2,3,4,5,6,7,8,9],"t":"${'x'.repeat(20_000)}"}`;
  const expression =
    'record.data.l.map(a, record.data.l.map(b, record.data.l.map(c, record.data)))';
  const ms = cpuMsOf(() => expect(() => mapped(expression, large)).toThrow('larger than 1 MiB'));
  expect(ms).toBeLessThan(1_000);
});

test('an expression that can not be compiled is refused with its place', () => {
  expect(() => bodyShape({ mode: 'map', expression: 'event.data' }, 'records')).toThrow(CelError);
});

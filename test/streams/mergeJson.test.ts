import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { mergeJson } from '../../src/streams/mergeJson.ts';

describe('the text of an object with fields put over it', () => {
  test.each([
    ['a field that is not given keeps its text', '{"a":1.10,"b":2}', '{"b":3}', '{"a":1.10,"b":3}'],
    ['new fields follow', '{"a":1}', '{"c":3,"b":2}', '{"a":1,"c":3,"b":2}'],
    [
      'numbers are not rounded',
      '{"a":9007199254740993}',
      '{"b":1e400}',
      '{"a":9007199254740993,"b":1e400}',
    ],
    ['null is a value like any other', '{"a":1}', '{"a":null}', '{"a":null}'],
    ['fields of fields are not merged', '{"a":{"x":1}}', '{"a":{"y":2}}', '{"a":{"y":2}}'],
    ['nothing given changes nothing', '{"a":[1,{"b":"}"}]}', '{}', '{"a":[1,{"b":"}"}]}'],
    ['nothing stored is no obstacle', '{}', '{"a":1}', '{"a":1}'],
    [
      'names are compared, not their escapes',
      String.raw`{"\u0061":1}`,
      '{"a":2}',
      String.raw`{"\u0061":2}`,
    ],
    [
      'quotes and braces in texts end nothing',
      String.raw`{"a\"}":"\\\",}","b":1}`,
      '{"b":2}',
      String.raw`{"a\"}":"\\\",}","b":2}`,
    ],
    [
      'space between is left out',
      ' { "a" : [ 1 ] , "b" : 2 } ',
      '{ "b" : 3 }',
      '{"a":[ 1 ],"b":3}',
    ],
    [
      'a name that every object has is a name',
      '{"__proto__":1,"x":2}',
      '{"__proto__":3,"constructor":4}',
      '{"__proto__":3,"x":2,"constructor":4}',
    ],
    ['a stored value without fields is replaced', '[1]', '{"a":1}', '{"a":1}'],
  ])('%s', (_, stored, given, merged) => {
    expect(mergeJson(stored, given)).toBe(merged);
  });

  test('whatever the fields are, each has its last text and the place where it came first', () => {
    const name = fc.oneof(
      fc.constantFrom('a', 'b', '"', '\\', '{', ',', ' ', '__proto__'),
      fc.string(),
    );
    const fields = fc.array(fc.tuple(name, fc.json())).map((list) => new Map(list));
    const textOf = (of: Map<string, string>): string =>
      `{${[...of].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`;
    fc.assert(
      fc.property(fields, fields, (stored, given) => {
        const merged = mergeJson(textOf(stored), textOf(given));
        expect(merged).toBe(textOf(new Map([...stored, ...given])));
      }),
    );
  });
});

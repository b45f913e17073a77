import fc from 'fast-check';
import { expect, test } from 'vitest';

import { membersOf, readObject, textOf } from '../../src/sources/messages/jsonText.ts';

/** As other programs print it: blanks, and what is beyond ASCII escaped. */
function printed(value: unknown, indent: number): string {
  return JSON.stringify(value, null, indent).replaceAll(
    /[\u0080-\uffff]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

test('the members of any object, however it is printed, are the texts of its values', () => {
  const object = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue());
  fc.assert(
    fc.property(object, fc.nat({ max: 2 }), (value, indent) => {
      const members = membersOf(printed(value, indent));
      const names = Object.keys(value);
      expect([...members!.keys()].sort()).toEqual(names.sort());
      for (const [name, text] of members!) {
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value[name])));
      }
    }),
  );
});

test('the text of a value is the text that came: no number is rounded, no blank or escape removed', () => {
  const record =
    '{ "n": 9007199254740993,\t"d" : 1.10, "e":1e400,"s":"\\u00e9 \\" }" , "a":[ {} ]}';
  const { members } = readObject(` {"type":"RECORD", "record":${record} }\r`)!;
  expect(members.get('record')).toBe(record);
  const fields = [...membersOf(record)!];
  expect(fields).toEqual([
    ['n', '9007199254740993'],
    ['d', '1.10'],
    ['e', '1e400'],
    ['s', '"\\u00e9 \\" }"'],
    ['a', '[ {} ]'],
  ]);
  expect(textOf(membersOf(record)!.get('s'))).toBe('é " }');
});

test('NaN and the infinities become null and are counted, but not in strings', () => {
  const line = '{"a":NaN,"b":[-Infinity,{"c":Infinity}],"d":"NaN, \\"Infinity\\\\","e":-1}';
  const { members, nulled } = readObject(line)!;
  expect(nulled).toBe(3);
  expect([...members]).toEqual([
    ['a', 'null'],
    ['b', '[null,{"c":null}]'],
    ['d', '"NaN, \\"Infinity\\\\"'],
    ['e', '-1'],
  ]);
});

test.each(['', 'null', '[]', '"{}"', '{', '{"a":1', '{"a":NaN', '{"a":nan}', '{"a":1}x', '{a:1}'])(
  '%j is no JSON object',
  (text) => {
    expect(readObject(text)).toBeNull();
  },
);

test('a line of a megabyte that is all quotes and backslashes is looked through once', () => {
  const began = performance.now();
  expect(readObject(`{"a":NaN,"b":${'"\\"'.repeat(350_000)}`)).toBeNull();
  expect(readObject(`{"a":NaN,"b":"${'\\'.repeat(1_000_000)}"}`)).not.toBeNull();
  expect(performance.now() - began).toBeLessThan(5_000); // quadratic time would be hours
});

import fc from 'fast-check';
import { expect, test } from 'vitest';

import { cutBody, keptBy } from '../../src/rules/bodyFields.ts';
import { ENTRY_OF } from '../../src/streams/entry.ts';

/** The body of an event with this data and these changes, as it is sent. */
function bodyOf(data: string, changes: string | null = null): string {
  const at = '2026-11-28T14:14:54.549977Z';
  const key = ['e-1', 'updated', 's"1', 'shop:order', 'o/1'];
  return ENTRY_OF.events([7, ...key, data, Buffer.byteLength(data), at, null, changes, null], 0)
    .body;
}

const KEY =
  '"event_id":"e-1","event":"updated","sync_id":"s\\"1","collection_id":"shop:order","upstream_id":"o/1"';
const TIMES =
  '"upstream_updated_at":null,"event_inserted_at":"2026-11-28T14:14:54.549977Z","position":7';

function cut(data: string, pointers: string[], changes: string | null = null): string {
  return cutBody(bodyOf(data, changes), keptBy(pointers));
}

test('without a pointer only the keys, the times and the position of an entry are left', () => {
  expect(cut('{"a":1}', [], '{"a":0}')).toBe(`{"event":{${KEY},${TIMES}}}`);
});

test.each([
  ['a field', '{"a":1,"b":2}', ['/data/b'], '{"b":2}'],
  ['all of the data', '{"a": 1}', ['/data'], '{"a": 1}'],
  ['data that is no object', '"text"', ['/data'], '"text"'],
  [
    'numbers as they were written',
    '{"a":9007199254740993,"b":1.10,"c":1e400}',
    ['/data/a', '/data/b', '/data/c'],
    '{"a":9007199254740993,"b":1.10,"c":1e400}',
  ],
  [
    'fields in the order of the data',
    '{"a":1,"b":2,"c":3}',
    ['/data/c', '/data/a'],
    '{"a":1,"c":3}',
  ],
  [
    'a field within others',
    '{"a":{"b":{"c":1,"d":2}},"e":3}',
    ['/data/a/b/c'],
    '{"a":{"b":{"c":1}}}',
  ],
  [
    'elements in their order',
    '{"a":[{"b":1,"c":2},{"b":3},{"b":4}]}',
    ['/data/a/2', '/data/a/0/b'],
    '{"a":[{"b":1},{"b":4}]}',
  ],
  [
    'names with a slash and a tilde',
    '{"a/b":1,"m~n":2,"c":3}',
    ['/data/a~1b', '/data/m~0n'],
    '{"a/b":1,"m~n":2}',
  ],
  ['an escaped name', '{"\\u0061":1,"b":2}', ['/data/a'], '{"\\u0061":1}'],
  ['the last of two fields with one name', '{"a":1,"a":{"b":2}}', ['/data/a'], '{"a":{"b":2}}'],
  ['the empty name', '{"":1,"a":2}', ['/data/'], '{"":1}'],
])('kept is %s', (_what, data, pointers, kept) => {
  expect(cut(data, pointers)).toBe(`{"event":{${KEY},"data":${kept},${TIMES}}}`);
});

test.each([
  ['a field that is not there', '{"a":1}', '/data/b'],
  ['a field of a text', '{"a":"b"}', '/data/a/b'],
  ['a field of null', 'null', '/data/a'],
  ['an element beyond the end', '{"a":[1]}', '/data/a/1'],
  ['an element that is written with a leading zero', '{"a":[1,2]}', '/data/a/01'],
  ['the element after the last one', '{"a":[1]}', '/data/a/-'],
  ['a field of an entry that there is not', '{"a":1}', '/other'],
  ['a name that objects of JavaScript have', '{"a":1}', '/data/constructor'],
])('a pointer at %s leaves nothing', (_what, data, pointer) => {
  expect(cut(data, [pointer])).toBe(`{"event":{${KEY},${TIMES}}}`);
});

test('changes are kept as far as pointers say, on their own', () => {
  const kept = cut('{"a":1,"b":2}', ['/changes/a', '/data/b'], '{"a":0,"b":3}');
  expect(kept).toBe(`{"event":{${KEY},"data":{"b":2},"changes":{"a":0},${TIMES}}}`);
});

/** A value with every number and string as the text that it is written with, and objects as sorted lists. */
type Exact = string | boolean | null | Exact[] | { fields: [string, Exact][] };

function exactly(text: string): Exact {
  const parse = JSON.parse as (
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ) => Exact;
  return parse(text, (_key, value, { source }) => {
    if (typeof value === 'number') return `number ${source}`;
    if (typeof value === 'string') return `text ${value}`;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    const fields = Object.entries(value) as [string, Exact][];
    return { fields: fields.sort(([a], [b]) => (a < b ? -1 : 1)) };
  });
}

/** What pointers keep of a value, by the definition; undefined: nothing. */
function keep(value: Exact, pointers: string[][]): Exact | undefined {
  if (pointers.some((tokens) => tokens.length === 0)) return value;
  const below = (name: string): string[][] =>
    pointers.filter(([first]) => first === name).map((tokens) => tokens.slice(1));
  if (Array.isArray(value)) {
    const kept = value.flatMap((one, index) => keep(one, below(String(index))) ?? []);
    const all = value.map((one, index) => keep(one, below(String(index))));
    return kept.length === 0 && all.every((one) => one === undefined)
      ? undefined
      : all.filter((one) => one !== undefined);
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = value.fields.flatMap(([name, one]): [string, Exact][] => {
    const kept = keep(one, below(name));
    return kept === undefined ? [] : [[name, kept]];
  });
  return fields.length === 0 ? undefined : { fields };
}

const NAMES = ['a', 'b', 'a/b', 'm~n', '', '0', '1', '2', '-', '01', 'ü😀', '"\\', '__proto__'];
const NUMBERS = ['0', '-0', '1.10', '1e400', '-1E+2', '9007199254740993', '0.1234567890123456789'];
const name = fc.constantFrom(...NAMES);
const space = fc.constantFrom('', '', '', ' ', '\n\t');
const escaped = (text: string): string =>
  `"${text
    .split('')
    .map((one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')}"`;
const key = fc
  .tuple(name, fc.boolean())
  .map(([text, escapes]) =>
    escapes && !text.includes('😀') ? escaped(text) : JSON.stringify(text),
  );

const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('null', 'true', 'false', ...NUMBERS),
    fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
    fc
      .array(fc.tuple(space, key, space, space, tie('json'), space), { maxLength: 6 })
      .map(
        (fields) =>
          `{${fields.map(([a, of, b, c, value, d]) => `${a}${of}${b}:${c}${value}${d}`).join(',')}}`,
      ),
    fc
      .array(fc.tuple(space, tie('json'), space), { maxLength: 5 })
      .map((elements) => `[${elements.map((parts) => parts.join('')).join(',')}]`),
  ),
}));

const pointer = fc.tuple(
  fc.constantFrom('data', 'data', 'changes', 'event'),
  fc.array(name, { maxLength: 4 }),
);

function written(tokens: string[]): string {
  return tokens.map((one) => `/${one.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

test('whatever the data and the pointers, what is kept is what pointers keep of the parsed value, with its numbers as written', () => {
  fc.assert(
    fc.property(json, json, fc.array(pointer, { maxLength: 8 }), (data, changes, chosen) => {
      const body = bodyOf(data, changes);
      const tokens = chosen.map(([first, rest]) => [first, ...rest]);
      const text = cutBody(body, keptBy(tokens.map(written)));
      const whole = exactly(body) as { fields: [string, { fields: [string, Exact][] }][] };
      const expected = whole.fields[0]![1].fields.flatMap(([of, value]): [string, Exact][] => {
        const always = of !== 'data' && of !== 'changes';
        const below = tokens.filter(([first]) => first === of).map((one) => one.slice(1));
        const kept = always ? value : keep(value, below);
        return kept === undefined ? [] : [[of, kept]];
      });
      expect(exactly(text)).toEqual({ fields: [['event', { fields: expected }]] });
    }),
    { numRuns: 2_000 },
  );
});

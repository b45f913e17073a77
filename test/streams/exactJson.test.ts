import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { equalJson, isDeeperThan, parseJson } from '../../src/streams/exactJson.ts';

const same = (a: string, b: string): boolean => equalJson(parseJson(a), parseJson(b));

/** The names of all fields, in the order of the text. */
function namesOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null || 'rawJSON' in value) return [];
  const fields = Object.entries(value);
  if (Array.isArray(value)) return fields.flatMap(([, one]) => namesOf(one));
  return fields.flatMap(([name, one]) => [name, ...namesOf(one)]);
}

describe('exact JSON', () => {
  test.each([
    '9007199254740993',
    '{"n":12345678901234567890.5,"list":[-9007199254740993]}',
    '[0.1000000000000000055511151231257827]',
    '{"huge":1e400,"tiny":1e-400}',
    '{"a": [ 9007199254740993 ]}'.replaceAll(' ', ''),
  ])('%s is printed as it came', (text) => {
    expect(JSON.stringify(parseJson(text))).toBe(text);
  });

  test('a key named __proto__ is a key like others', () => {
    const text = '{"__proto__":{"n":9007199254740993},"b":1}';
    expect(JSON.stringify(parseJson(text))).toBe(text);
    expect(same(text, '{"b":1}')).toBe(false);
  });

  test('a name is never taken for one that was read before, however it is written', () => {
    const texts = [
      String.raw`{"\\":1}`,
      String.raw`{"\n":1}`,
      String.raw`{"b":[],"p\\":null}`,
      String.raw`{"b":[],"p\"":null}`,
      String.raw`[ { "a\\" : -1.50 , "t" : [ true , false , { } , [ ] ] } , { "a\t" : "x\n" } ]`,
      String.raw`{"__proto__":9007199254740993,"\u0041":"\ud83d\ude00"}`,
    ];
    for (const text of texts) {
      const names = [...text.matchAll(/("(?:[^"\\]|\\.)*")\s*:/gu)].map(([, name]) =>
        JSON.parse(name!),
      );
      expect(namesOf(parseJson(text))).toEqual(names);
    }
    expect(JSON.stringify(parseJson(texts.at(-1)!))).toBe(
      '{"__proto__":9007199254740993,"A":"\u{1f600}"}',
    );
  });

  test('numbers are compared by value, not as doubles', () => {
    expect(same('9007199254740993', '9007199254740992')).toBe(false);
    expect(same('9007199254740993', '9007199254740993.0')).toBe(true);
    expect(same('9007199254740993', '0.9007199254740993e16')).toBe(true);
    expect(same('1.0', '1')).toBe(true);
    expect(same('1e2', '100')).toBe(true);
    expect(same('-0.0', '0')).toBe(true);
    expect(same('1e400', '1e401')).toBe(false);
    expect(same('10e399', '1e400')).toBe(true);
    expect(same('9007199254740993', '"9007199254740993"')).toBe(false);
  });

  test('the order of keys does not matter, the order of a list does', () => {
    expect(same('{"a":1,"b":[1,2]}', '{"b":[1,2],"a":1}')).toBe(true);
    expect(same('[1,2]', '[2,1]')).toBe(false);
    expect(same('{"a":null}', '{}')).toBe(false);
    expect(same('{}', '[]')).toBe(false);
    expect(same('null', '{}')).toBe(false);
  });

  test('any value survives, and equals itself and no value that prints differently', () => {
    fc.assert(
      fc.property(fc.json(), fc.json(), (a, b) => {
        expect(JSON.stringify(parseJson(a))).toBe(JSON.stringify(JSON.parse(a)));
        expect(same(a, a)).toBe(true);
        const sorted = (text: string): string => canonical(JSON.parse(text));
        expect(same(a, b)).toBe(sorted(a) === sorted(b));
      }),
    );
  });

  test('decimals of any length are equal exactly when their digits are', () => {
    const decimal = fc
      .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.integer({ min: -5, max: 5 }))
      .map(([digits, power]) => ({ digits, power, text: `${digits}e${power}` }));
    fc.assert(
      fc.property(decimal, decimal, (a, b) => {
        const scaled = (one: typeof a): bigint => one.digits * 10n ** BigInt(one.power + 5);
        expect(same(a.text, b.text)).toBe(scaled(a) === scaled(b));
        const longer = a.digits === 0n ? `0e${a.power - 1}` : `${a.digits}0e${a.power - 1}`;
        expect(same(a.text, longer)).toBe(true);
      }),
    );
  });

  test('only brackets outside of strings count as nesting', () => {
    const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
    expect(isDeeperThan(nested(500), 500)).toBe(false);
    expect(isDeeperThan(nested(501), 500)).toBe(true);
    expect(isDeeperThan(JSON.stringify(`\\"${nested(2_000)}`), 500)).toBe(false);
    expect(isDeeperThan(`[${'[],'.repeat(2_000)}1]`, 500)).toBe(false);
  });
});

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))
      : Array.isArray(inner)
        ? ['list', ...inner]
        : inner,
  );
}

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  createColumnTypes,
  toTypeRow,
  TYPES_SQL,
  type ColumnType,
  type TypesSqlRow,
} from '../../src/sources/postgres/columnType.ts';
import { jsonValue, ValueError } from '../../src/sources/postgres/jsonValue.ts';
import { equalJson, parseJson } from '../../src/streams/exactJson.ts';
import {
  openSourcePostgres,
  type SourcePostgres,
  type SourceSession,
} from '../support/sourcePostgres.ts';

let postgres: SourcePostgres;
let session: SourceSession;

beforeAll(async () => {
  postgres = await openSourcePostgres();
  session = await postgres.connect();
  await session.run(
    `create type mood as enum ('sad', 'so, so', 'NULL', 'with "quotes"')`,
    'create domain price as numeric check (value is null or value = value)',
    'create domain cheap as price',
    'create domain tags as text[]',
  );
});
afterAll(async () => {
  await session[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
});

interface Printed {
  type: ColumnType;
  /** For each text that was given: ours, and what `to_jsonb` makes of it. */
  pairs: { given: string | null; ours: string; theirs: string }[];
}

/** Has Postgres read texts as values of a type, and print them as a source's session gets them, and as JSON. */
async function print(typeName: string, given: string[]): Promise<Printed> {
  const { rows, fields } = await session.client.query<(string | null)[]>({
    text: `select v, to_jsonb(v)::text, given
             from unnest($1::text[]) with ordinality as u (given, nth), lateral (select given::${typeName} as v) s
            order by nth`,
    values: [given],
    rowMode: 'array',
  });
  const id = fields[0]?.dataTypeID ?? 0;
  const type = (await typesOf([id])).of(id);
  const pairs = rows.map(([text, theirs, from]) => ({
    given: from ?? null,
    ours: text == null ? 'null' : jsonValue(type, text),
    theirs: theirs ?? 'null',
  }));
  return { type, pairs };
}

async function typesOf(ids: number[]) {
  const types = createColumnTypes();
  const missing = types.missing(ids);
  const { rows } = await session.client.query<TypesSqlRow>(TYPES_SQL, [missing]);
  types.add(missing, rows.map(toTypeRow));
  return types;
}

const digits = (most: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${most}}$`, 'u'));
const numeric = fc.oneof(
  fc
    .tuple(fc.constantFrom('', '-'), digits(60), fc.option(digits(40)))
    .map(([sign, whole, part]) => `${sign}${whole}${part === null ? '' : `.${part}`}`),
  fc.constantFrom('NaN', 'Infinity', '-Infinity', '1e-30', '1e300', '0.10', '-0.00'),
);
const float = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.constantFrom('NaN', 'Infinity', '-Infinity', '5e-324', '1.7976931348623157e308'),
);
const single = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.constantFrom('NaN', 'Infinity', '-Infinity'),
);
const words = fc
  .string({ unit: 'binary', maxLength: 40 })
  .filter((word) => !word.includes('\u0000') && word.isWellFormed());
const json = fc
  .json()
  .filter((text) => !/\\u0000|\\ud[89a-f]/iu.test(text) && JSON.parse(text) !== undefined);
const year = fc.oneof(
  fc.integer({ min: 1, max: 9_999 }),
  fc.integer({ min: 10_000, max: 294_000 }),
);
const two = (most: number, least = 0) =>
  fc.integer({ min: least, max: most }).map((n) => String(n).padStart(2, '0'));
const era = fc.constantFrom('', '', ' BC');
const day = fc.tuple(year, two(12, 1), two(28, 1), era).map(([y, month, date, bc]) => ({
  date: `${String(bc === '' ? y : (y % 4_700) + 1).padStart(4, '0')}-${month}-${date}`,
  bc,
}));
const clock = fc
  .tuple(two(23), two(59), two(59), fc.integer({ min: 0, max: 999_999 }))
  .map(([h, m, s, micros]) => `${h}:${m}:${s}.${String(micros).padStart(6, '0')}`);
const forever = fc.constantFrom('infinity', '-infinity');
const dates = fc.oneof({ weight: 9, arbitrary: day.map(({ date, bc }) => date + bc) }, forever);
const stamps = fc.oneof(
  { weight: 9, arbitrary: fc.tuple(day, clock).map(([{ date, bc }, at]) => `${date} ${at}${bc}`) },
  forever,
);
const zoned = fc.oneof(
  {
    weight: 9,
    arbitrary: fc
      .tuple(day, clock, fc.constantFrom('+00', '+05:30', '-11', '+00:20:30'))
      .map(([{ date, bc }, at, zone]) => `${date} ${at}${zone}${bc}`),
  },
  forever,
);
const bytes = fc.uint8Array({ maxLength: 40 }).map((b) => `\\x${Buffer.from(b).toString('hex')}`);
const small = fc.integer({ min: -32_768, max: 32_767 }).map(String);
const int8 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
const span = fc.option(fc.tuple(small, small)).map((pair) => {
  if (pair === null) return 'empty';
  const [low, high] = pair.map(Number).sort((a, b) => a - b);
  return `[${low},${high}]`;
});

/** An array's literal, with every element quoted. */
function literal(items: (string | null)[], delimiter = ','): string {
  const quoted = items.map((item) =>
    item === null ? 'NULL' : `"${item.replaceAll(/["\\]/gu, String.raw`\$&`)}"`,
  );
  return `{${quoted.join(delimiter)}}`;
}

function arrayOf(element: fc.Arbitrary<string>, delimiter = ','): fc.Arbitrary<string> {
  const flat = fc.array(fc.option(element), { maxLength: 5 });
  const square = fc
    .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }))
    .chain(([rows, columns]) =>
      fc.array(fc.array(fc.option(element), { minLength: columns, maxLength: columns }), {
        minLength: rows,
        maxLength: rows,
      }),
    )
    .map((rows) => `{${rows.map((row) => literal(row, delimiter)).join(delimiter)}}`);
  const bounded = fc
    .array(element, { minLength: 1, maxLength: 4 })
    .map((items) => `[-2:${items.length - 3}]=${literal(items, delimiter)}`);
  return fc.oneof(
    flat.map((items) => literal(items, delimiter)),
    square,
    bounded,
  );
}

const moods = fc.constantFrom('sad', 'so, so', 'NULL', 'with "quotes"');
const boxes = fc.tuple(small, small, small, small).map(([a, b, c, d]) => `(${a},${b}),(${c},${d})`);

/** Of each type: texts of it that are not all. */
const TYPES: [name: string, texts: fc.Arbitrary<string>][] = [
  ['bool', fc.constantFrom('t', 'f')],
  ['int2', small],
  ['int4', fc.integer().map(String)],
  ['int8', int8],
  ['float4', single],
  ['float8', float],
  ['numeric', numeric],
  ['price', numeric],
  ['cheap', numeric],
  ['text', words],
  ['varchar(100)', words],
  ['char(50)', words],
  ['"char"', fc.constantFrom('a', '"', '')],
  ['json', json],
  ['jsonb', json],
  ['bytea', bytes],
  ['date', dates],
  ['timestamp', stamps],
  ['timestamptz', zoned],
  ['time', clock],
  ['interval', fc.tuple(small, small).map(([d, s]) => `${d} days ${s} seconds`)],
  ['uuid', fc.uuid()],
  ['inet', fc.ipV4()],
  ['mood', moods],
  ['int4range', span],
  ['int4multirange', span.map((one) => `{${one}}`)],
  ['point', fc.tuple(small, small).map(([x, y]) => `(${x},${y})`)],
  ['tags', arrayOf(words)],
  ['bool[]', arrayOf(fc.constantFrom('t', 'f'))],
  ['int8[]', arrayOf(int8)],
  ['float8[]', arrayOf(float)],
  ['numeric[]', arrayOf(numeric)],
  ['price[]', arrayOf(numeric)],
  ['text[]', arrayOf(words)],
  ['json[]', arrayOf(json)],
  ['jsonb[]', arrayOf(json)],
  ['bytea[]', arrayOf(bytes)],
  ['timestamptz[]', arrayOf(zoned)],
  ['mood[]', arrayOf(moods)],
  ['int4range[]', arrayOf(span)],
  ['box[]', arrayOf(boxes, ';')],
];

const EXACT = /^(?:numeric|price|cheap|int|date|timestamp|bytea|uuid|text)/u;

/** Postgres writes UTC as `+00:00` in JSON. */
const inUtc = (theirs: string): string =>
  theirs.replaceAll('+00:00"', 'Z"').replaceAll('+00:00 BC"', 'Z BC"');

describe('a value of each type is what to_jsonb makes of it', () => {
  test.each(TYPES)('%s', async (name, texts) => {
    const { pairs } = await print(name, fc.sample(texts, 300));
    for (const { given, ours, theirs } of pairs) {
      const same = equalJson(parseJson(ours), parseJson(inUtc(theirs)));
      expect(same, `${given}: ${ours} is not ${theirs}`).toBe(true);
    }
  });
});

describe('the text is the same to the last digit', () => {
  test.each(TYPES.filter(([name]) => EXACT.test(name)))('%s', async (name, texts) => {
    const { pairs } = await print(name, fc.sample(texts, 300));
    for (const { ours, theirs } of pairs) expect(ours).toBe(inOurForm(name, inUtc(theirs)));
  });
});

/** Postgres and JavaScript escape some characters of a text otherwise, and Postgres puts spaces between elements. */
function inOurForm(name: string, theirs: string): string {
  const isNumeric = /^(?:numeric|price|cheap|int\d\b)/u.test(name);
  return isNumeric ? theirs.replaceAll(' ', '') : JSON.stringify(JSON.parse(theirs));
}

test('JSON is taken as it is, with its spaces and all digits of its numbers', async () => {
  const given = '{ "b": 1.0,\n  "a":[ 1e400, 12345678901234567890.10 ] }';
  const { pairs } = await print('json', [given]);
  expect(pairs[0]?.ours).toBe(given);
});

test('of types that the catalog no longer has, values are texts', async () => {
  const types = createColumnTypes();
  expect(types.missing([23, 4_000_000, 4_000_000])).toEqual([4_000_000]);
  types.add([4_000_000], []);
  expect(types.missing([4_000_000])).toEqual([]);
  expect(jsonValue(types.of(4_000_000), '{1}')).toBe('"{1}"');
});

test('a vector of integers has elements, but is printed as a text', async () => {
  const { pairs } = await print('int2vector', ['1 2 3']);
  expect(pairs[0]?.ours).toBe('"1 2 3"');
});

describe('a text that is not of its type is refused in words', () => {
  const array: ColumnType = { kind: 'array', element: { kind: 'number' }, delimiter: ',' };
  test.each<[ColumnType, string, string]>([
    [{ kind: 'number' }, '1,5', 'is not a number: 1,5'],
    [{ kind: 'number' }, '', 'is not a number: '],
    [{ kind: 'bool' }, 'true', 'is not a boolean: true'],
    [
      { kind: 'timestamptz' },
      '2026-11-30 01:00:00+01',
      'is not a time in UTC: 2026-11-30 01:00:00+01',
    ],
    [
      { kind: 'timestamp' },
      '2026-11-30 01:00:00+00',
      'is not a time without a zone: 2026-11-30 01:00:00+00',
    ],
    [array, '{1,2', 'is not an array: {1,2'],
    [array, '{1,,2}', 'is not an array: {1,,2}'],
    [array, '{1}}', 'is not an array: {1}}'],
    [array, '{"1}', 'is not an array: {"1}'],
    [array, '1', 'is not an array: 1'],
    [array, `{${'1,'.repeat(100)}x`, `is not a number: x`],
  ])('%o: %s', (type, text, message) => {
    expect(() => jsonValue(type, text)).toThrow(new ValueError(message));
  });
});

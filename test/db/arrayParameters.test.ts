// arrays as parameters of statements, by what Postgres reads of them
import { expect, test } from 'vitest';

import { textArray, textParameter } from '../../src/db/arrayLiteral.ts';
import { openDb } from '../../src/db/db.ts';
import { createDatabase, PATIENT } from '../support/database.ts';

const TEXTS = [
  null,
  '',
  'null',
  '{}',
  '"',
  '\\',
  ',',
  ' a ',
  'é😀',
  '\n\t',
  '{"a":"\\"\\u0000"}',
  'x'.repeat(1e6),
];

test.each([
  ['as a literal', textArray],
  ['in binary', textParameter],
])('texts arrive as they are %s, also none at all', async (_how, asParameter) => {
  await using database = await createDatabase();
  await using db = openDb({ url: database.url, ...PATIENT, onError: () => undefined });
  for (const texts of [TEXTS, TEXTS.slice(1), [null], []]) {
    const { rows } = await db.query<{ value: string | null }>({
      text: 'select value from unnest($1::text[]) with ordinality as t (value, n) order by n',
      values: [asParameter(texts)],
    });
    expect(rows.map(({ value }) => value)).toEqual(texts);
  }
});

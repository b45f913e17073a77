import { expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import { beginningWith, idsFrom, madeAt, wordsFrom } from '../../src/search/terms.ts';

test.each([
  ['01a2', '01a20000-0000-0000-0000-000000000000', '01a2ffff-ffff-ffff-ffff-ffffffffffff'],
  ['01A22282-4', '01a22282-4000-0000-0000-000000000000', '01a22282-4fff-ffff-ffff-ffffffffffff'],
  [
    '01a22282-4d54-78ef-84d2-96c4627635a5',
    '01a22282-4d54-78ef-84d2-96c4627635a5',
    '01a22282-4d54-78ef-84d2-96c4627635a5',
  ],
])('ids that begin with %s are a range', (text, from, to) => {
  expect(idsFrom(text)).toEqual({ from, to });
});

test.each([
  '01a',
  'orders',
  '01a222824d54',
  '01a2-',
  '-1a2',
  '01a22282-4d54-78ef-84d2-96c4627635a5a',
])('%s begins no id, or is too short to tell', (text) => {
  expect(idsFrom(text)).toBeNull();
});

test('characters that LIKE takes as placeholders are searched for as they are', () => {
  expect(beginningWith(String.raw`50%_\x`)).toBe(String.raw`50\%\_\\x%`);
});

test.each([
  ['crm', `'crm':*`],
  ['  two words ', `'two':* & 'words':*`],
  [String.raw`o'neil \x`, String.raw`'o''neil':* & '\\x':*`],
  ['→ crm', `'crm':*`],
  ['- & |', null],
  ['x'.repeat(256), null],
])('the words of %j are searched for as %j', (text, query) => {
  expect(wordsFrom(text)).toBe(query);
});

test('an id made by Millrace says when it was made, and no other text does', () => {
  const before = Date.now();
  const at = madeAt(newId());
  expect(at).toBeGreaterThanOrEqual(before);
  expect(at).toBeLessThanOrEqual(Date.now());
  expect(madeAt('9b2b3c1e-5c1d-4a57-8a44-6d1c2f8a1b11')).toBeNull(); // another version of UUID
  expect(madeAt('cus_1')).toBeNull();
});

import { expect, test } from 'vitest';

import { followFaultOf } from '../../src/sources/followFault.ts';
import { OfDatabase } from '../../src/sources/ofDatabase.ts';

const ADDRESS = { host: 'db.example.com', port: 5432, database: 'shop', user: 'millrace' };

/** What an error of the database means. */
function kindOf(code: string): string | undefined {
  const cause = Object.assign(new Error('refused'), { code });
  return followFaultOf(new OfDatabase(cause), ADDRESS)?.kind;
}

test('a name that another follower has taken just now does not make a source fail, and a right that is missing does', () => {
  expect(kindOf('42710')).toBe('passing');
  expect(kindOf('55006')).toBe('passing');
  expect(kindOf('57P01')).toBe('passing');
  expect(kindOf('42501')).toBe('lasting');
  expect(kindOf('28P01')).toBe('lasting');
});

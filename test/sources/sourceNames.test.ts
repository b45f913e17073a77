import { expect, test } from 'vitest';

import { slotOf, slotStem } from '../../src/rules/sourceNames.ts';

const id = '0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11';

test.each([
  ['Shop database', 'millrace_shop_database_'],
  ['  Läden & Co. – Нью-Йорк 2 ', 'millrace_laden_co_2_'],
  ['本番', 'millrace_'],
  ['"; drop table x', 'millrace_drop_table_x_'],
  ['x'.repeat(255), `millrace_${'x'.repeat(30)}_`],
  [`${'x'.repeat(29)} y`, `millrace_${'x'.repeat(29)}_`],
])('the slot of %j begins with %s', (name, stem) => {
  expect(slotStem(name)).toBe(stem);
  const slot = slotOf({ id, name });
  expect(slot).toBe(`${stem}0d6f3c1f8a11`);
  expect(slot).toMatch(/^[a-z0-9_]{1,63}$/u); // what a replication slot may be named
});

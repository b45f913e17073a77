import { expect, test } from 'vitest';

import { escaped } from '../../src/cli/output.ts';

test('JSON for machines controls no terminal, and reads back as it was', () => {
  const value = { name: 'a\u009b31mred\u007f\u0080\u202eevil\u2066', plain: 'é 😀 "x"\n' };
  const printed = escaped(JSON.stringify(value));
  expect(printed).not.toMatch(/[\u007f-\u009f\u202e\u2066]/u);
  expect(printed).toContain('é 😀');
  expect(JSON.parse(printed)).toEqual(value);
});

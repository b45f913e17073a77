import { expect, test } from 'vitest';

import { escaped } from '../../src/cli/output.ts';

test('JSON output contains no control characters for a terminal, and parses back to the same value', () => {
  const value = { name: 'a\u009b31mred\u007f\u0080\u202eevil\u2066', plain: 'é 😀 "x"\n' };
  const printed = escaped(JSON.stringify(value));
  expect(printed).not.toMatch(/[\u007f-\u009f\u202e\u2066]/u);
  expect(printed).toContain('é 😀');
  expect(JSON.parse(printed)).toEqual(value);
});

import { expect, test } from 'vitest';

import { rangeSince } from '../../src/console/ranges.ts';

const NOW = Date.parse('2026-11-30T12:00:00Z');

test.each([
  [null, '1h'],
  ['2026-11-30T11:00:01Z', '1h'],
  ['2026-11-30T10:59:00Z', '6h'],
  ['2026-11-29T12:00:01Z', '24h'],
  ['2026-11-29T11:59:00Z', '7d'],
  ['2026-10-01T00:00:00Z', '7d'],
])('charts of what has failed since %s begin with the range %s', (began, range) => {
  expect(rangeSince(began, NOW)).toBe(range);
});

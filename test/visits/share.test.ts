import { expect, test } from 'vitest';

import { surplusOf } from '../../src/visits/share.ts';

test.each([
  ['it is the only lane', { mine: 10_000, all: 10_000, lanes: 1 }, 0],
  ['another lane has just begun', { mine: 10_000, all: 10_000, lanes: 2 }, 5_000],
  ['it has little more than its share', { mine: 5_500, all: 10_000, lanes: 2 }, 0],
  ['it has less than its share', { mine: 100, all: 10_000, lanes: 2 }, 0],
  ['there are few consumers', { mine: 90, all: 90, lanes: 3 }, 0],
  ['others have not noted yet how many they visit', { mine: 400, all: 400, lanes: 4 }, 300],
])('where %s, a lane releases the consumers above its share: %j', (_what, shares, surplus) => {
  expect(surplusOf(shares)).toBe(surplus);
});

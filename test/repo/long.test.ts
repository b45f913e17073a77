import { expect, test } from 'vitest';

import { IS_LONG, shareOf } from '../support/long.ts';

test('the turns of a matrix have each thing once between them in the short form, and everything at each turn in the long one', () => {
  const all = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  const turns = [0, 1, 2].map((turn) => shareOf(all, turn, 3));
  expect(turns.flat().toSorted()).toEqual(IS_LONG ? [...all, ...all, ...all].toSorted() : all);
  for (const turn of turns) expect(turn.length).toBeGreaterThan(1);
});

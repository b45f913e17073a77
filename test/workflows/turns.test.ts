import fc from 'fast-check';
import { expect, test } from 'vitest';

import { dueTurn, hasSomethingCome, nextTime, type Turn } from '../../src/workflows/turns.ts';

const act = (): void => undefined;
const come = (due: boolean): Turn => ({ isDue: () => due, act });
const timed = (ms: number): Turn => ({ untilDueMs: () => ms, act });

test.each<[string, Turn[], number | null]>([
  ['none of an empty list', [], null],
  ['none while nothing has come', [come(false), timed(1), timed(Infinity)], null],
  ['the one that something has come for', [come(false), come(true)], 1],
  ['the first of two', [come(false), come(true), come(true)], 1],
  ['the one whose time has come', [timed(5), timed(0)], 1],
  ['the one whose time is over', [timed(5), timed(-3)], 1],
  ['the first, however long another one waits', [come(true), timed(-1_000)], 0],
  ['one that has both, by what has come', [{ ...timed(5), isDue: () => true }], 0],
  ['one that has both, by its time', [{ ...timed(0), isDue: () => false }], 0],
  ['none where a time is no number', [timed(NaN)], null],
])('which turn is due: %s', (_, turns, index) => {
  expect(dueTurn(turns)).toBe(index === null ? undefined : turns[index]);
});

test('a wait ends when something has come, and by a time only if there is a timer for it', () => {
  expect(hasSomethingCome([come(false), timed(-1)])).toBe(false);
  expect(hasSomethingCome([timed(-1), come(true)])).toBe(true);
  expect(nextTime([come(true), timed(7), timed(3), timed(Infinity)]).ms).toBe(3);
  expect(nextTime([come(true)]).ms).toBe(Infinity);
  expect(nextTime([]).ms).toBe(Infinity);
});

test('a timer is named after the turn that it is for', () => {
  const named = (ms: number, name: string): Turn => ({ ...timed(ms), timer: () => name });
  expect(nextTime([named(7, 'until seven'), named(3, 'until three'), come(true)])).toEqual({
    ms: 3,
    timer: 'until three',
  });
  expect(nextTime([named(3, 'until the first'), named(3, 'until the second')]).timer).toBe(
    'until the first',
  );
});

test('whatever makes a turn due also ends the wait: no turn is missed', () => {
  const turn = fc.record(
    {
      due: fc.boolean(),
      ms: fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constant(Infinity)),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.array(turn), (list) => {
      const turns = list.map(({ due, ms }): Turn => ({
        ...(due === undefined ? {} : { isDue: () => due }),
        ...(ms === undefined ? {} : { untilDueMs: () => ms }),
        act,
      }));
      const woken = hasSomethingCome(turns) || nextTime(turns).ms <= 0;
      expect(dueTurn(turns) !== undefined).toBe(woken);
    }),
  );
});

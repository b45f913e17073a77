import { expect, test } from 'vitest';

import { createRepetitions, type Repetitions } from '../../src/wake/repetitions.ts';

const SECOND = 1_000;

/** When a signal is due while nothing else happens, seconds after the first: looked at each second. */
function schedule(repetitions: Repetitions, seconds: number): number[] {
  const sent: number[] = [];
  for (let second = 0; second <= seconds; second += 1) {
    if (!repetitions.isDue('c', second * SECOND)) continue;
    sent.push(second);
    repetitions.sent('c', second * SECOND);
  }
  return sent;
}

test('a signal is repeated after 5 s, and then at intervals that double up to a minute', () => {
  const sent = schedule(createRepetitions(), 300);
  expect(sent).toEqual([0, 5, 15, 35, 75, 135, 195, 255]);
});

test('a repetition is due exactly when its time has come, and each consumer has its own time', () => {
  const repetitions = createRepetitions();
  repetitions.sent('c', 100);
  expect(repetitions.isDue('c', 5_099)).toBe(false);
  expect(repetitions.isDue('c', 5_100)).toBe(true);
  expect(repetitions.isDue('other', 100)).toBe(true);
});

test('a call that Temporal did not accept is repeated after a second, and then the pause doubles', () => {
  const repetitions = createRepetitions();
  repetitions.sent('c', 0);
  repetitions.sent('c', 5 * SECOND);
  repetitions.notTaken('c', 6 * SECOND);
  expect(repetitions.isDue('c', 7 * SECOND - 1)).toBe(false);
  expect(repetitions.isDue('c', 7 * SECOND)).toBe(true);
  repetitions.sent('c', 7 * SECOND);
  expect(repetitions.isDue('c', 9 * SECOND - 1)).toBe(false);
  expect(repetitions.isDue('c', 9 * SECOND)).toBe(true);
});

test.each([
  { name: 'wants another entry', act: (one: Repetitions) => one.forget('c') },
  { name: 'wanted nothing meanwhile', act: (one: Repetitions) => one.keep(new Set(['other'])) },
])('a consumer that $name is signalled as if for the first time', ({ act }) => {
  const repetitions = createRepetitions();
  schedule(repetitions, 100);
  expect(repetitions.isDue('c', 101 * SECOND)).toBe(false);
  act(repetitions);
  expect(schedule(repetitions, 20)).toEqual([0, 5, 15]);
});

test('a consumer that still wants the same entry keeps its schedule', () => {
  const repetitions = createRepetitions();
  repetitions.sent('c', 0);
  repetitions.sent('c', 5 * SECOND);
  repetitions.keep(new Set(['c']));
  expect(repetitions.isDue('c', 14 * SECOND)).toBe(false);
});

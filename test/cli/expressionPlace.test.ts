import { expect, test } from 'vitest';

import { placeLines } from '../../src/cli/expressionPlace.ts';

const fault = (line: number, column: number) => ({
  pointer: '/where',
  detail: 'is wrong',
  line,
  column,
});

test('the line of an expression that is wrong is shown with a mark below the place', () => {
  expect(placeLines('event.data.a > 1 AND event.data.b', fault(1, 18))).toEqual([
    '  event.data.a > 1 AND event.data.b',
    '                   ^',
  ]);
});

test('an expression of several lines shows the one that is wrong, and a mark behind its end', () => {
  expect(placeLines('{"a":\n  event.data.b +', fault(2, 17))).toEqual([
    '    event.data.b +',
    `${' '.repeat(18)}^`,
  ]);
});

test('a long line is cut on both sides of the place', () => {
  const text = `${'a'.repeat(500)} = ${'b'.repeat(500)}`;
  const [shown = '', mark = ''] = placeLines(text, fault(1, 502));
  expect(shown).toHaveLength(2 + 1 + 60 + 60 + 1);
  expect(shown[mark.indexOf('^')]).toBe('=');
});

test('what would control the terminal is left out, and the mark stays below the place', () => {
  const [shown = '', mark = ''] = placeLines('\u001b[31m = 1', fault(1, 7));
  expect(shown).not.toContain('\u001b');
  expect(shown[mark.indexOf('^')]).toBe('=');
});

test('other faults, and those of what was not sent, show nothing', () => {
  expect(placeLines('a', { pointer: '/name', detail: 'is wrong' })).toEqual([]);
  expect(placeLines(null, fault(1, 1))).toEqual([]);
  expect(placeLines(undefined, fault(1, 1))).toEqual([]);
});

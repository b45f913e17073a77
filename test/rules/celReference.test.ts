// conditions against a second evaluation of their own
import fc from 'fast-check';
import { expect, test } from 'vitest';

import { celEntry, CelFault } from '../../src/rules/cel.ts';
import { compileWhere, isSatisfied, type Where } from '../../src/rules/where.ts';
import { jsonOf, someCondition, someData, type Truth } from '../support/conditions.ts';

test('a condition says of any data what CEL says of it, and fails where CEL fails', () => {
  const seen = new Set<Truth>();
  fc.assert(
    fc.property(
      someCondition,
      fc.array(someData, { minLength: 1, maxLength: 5 }),
      (condition, all) => {
        const where = compileWhere(condition.text, 'events');
        for (const data of all) {
          const body = `{"event":{"data":${jsonOf(data)}}}`;
          const expected = condition.valueFor(data);
          seen.add(expected);
          expect({ data, is: truthOf(where, body) }).toEqual({ data, is: expected });
          expect(isSatisfied(where, body, 'events')).toBe(expected === true);
        }
      },
    ),
    { numRuns: 3_000 },
  );
  expect(seen.size).toBe(3);
});

function truthOf(where: Where, body: string): Truth {
  try {
    return where.holds(celEntry(body, 'events'));
  } catch (error) {
    if (error instanceof CelFault) return 'error';
    throw error;
  }
}

test.each([
  ['"abc"', 'a text'],
  ['1 + 1', 'a number'],
  ['[event.data]', 'a list'],
])('%s is no condition, but %s', (text, what) => {
  expect(() => compileWhere(text, 'events')).toThrow(
    `line 1, column 1: A condition is true or false; this expression is ${what}.`,
  );
});

test('a condition whose value is known only with an entry has to be true or false then', () => {
  const where = compileWhere('event.data.a', 'events');
  expect(truthOf(where, '{"event":{"data":{"a":true}}}')).toBe(true);
  expect(() => where.holds(celEntry('{"event":{"data":{"a":"true"}}}', 'events'))).toThrow(
    new CelFault('The condition is neither true nor false, but a text.'),
  );
});

import fc from 'fast-check';
import { expect, test } from 'vitest';

import { newTraceparent } from '../../src/egress/traceparent.ts';
import { readTraceparent } from '../../src/schema/traceparent.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const GIVEN = `00-${TRACE}-${SPAN}-01`;

const HEX = [...Array(16).keys()].map((digit) => digit.toString(16));
const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...HEX), minLength: length, maxLength: length });

/** Mostly of the right form, with parts that are wrong now and then. */
const anything = fc
  .tuple(
    fc.oneof(fc.constantFrom('00', '01', 'cc', 'fe', 'ff', '0', '0A'), hex(2)),
    fc.oneof(hex(32), hex(31), fc.constant('0'.repeat(32)), fc.constant('A'.repeat(32))),
    fc.oneof(hex(16), hex(17), fc.constant('0'.repeat(16)), fc.constant('00F067AA0BA902B7')),
    fc.oneof(fc.constantFrom('00', '01', '02', '03', 'ff', '1', 'zz'), hex(2)),
    fc.oneof(fc.constant(''), fc.constantFrom('-', '-more', '.', ' ', '-a-b', '0')),
  )
  .map(([version, trace, span, flags, more]) => `${version}-${trace}-${span}-${flags}${more}`);

/** What the specification says of a text, one sentence after another, without a pattern for all of it. */
function specified(text: string): string | null {
  const isHex = (part: string | undefined, length: number): part is string =>
    part !== undefined && part.length === length && /^[0-9a-f]*$/u.test(part);
  const [version, trace, span, flags, ...more] = text.split('-');
  if (!isHex(version, 2) || version === 'ff') return null;
  if (!isHex(trace, 32) || !isHex(span, 16) || !isHex(flags, 2)) return null;
  if (!/[^0]/u.test(trace) || !/[^0]/u.test(span)) return null;
  if (version === '00' && more.length > 0) return null;
  const known = version === '00' ? [1, 2] : [1];
  const kept = known.filter((flag) => (Number.parseInt(flags, 16) & flag) !== 0);
  return `00-${trace}-${span}-0${kept.reduce((sum, flag) => sum + flag, 0)}`;
}

test('a traceparent is read as W3C Trace Context says, whatever it is', () => {
  fc.assert(
    fc.property(fc.oneof({ weight: 9, arbitrary: anything }, fc.string()), (text) => {
      expect(readTraceparent(text)).toBe(specified(text));
    }),
    { numRuns: 5_000 },
  );
});

test('what was read once is read again as it is', () => {
  const valid = anything.map(readTraceparent).filter((text) => text !== null);
  fc.assert(
    fc.property(valid, (text) => {
      expect(readTraceparent(text)).toBe(text);
    }),
  );
});

test.each([
  ['the one of the specification', GIVEN, GIVEN],
  ['not sampled', `00-${TRACE}-${SPAN}-00`, `00-${TRACE}-${SPAN}-00`],
  ['with a random trace id', `00-${TRACE}-${SPAN}-03`, `00-${TRACE}-${SPAN}-03`],
  ['with unknown flags', `00-${TRACE}-${SPAN}-fd`, `00-${TRACE}-${SPAN}-01`],
  ['of a later version', `cc-${TRACE}-${SPAN}-03-what-the-future-holds`, GIVEN],
  ['of version 00 with more', `${GIVEN}-more`, null],
  ['of version ff', `ff-${TRACE}-${SPAN}-01`, null],
  ['in capitals', GIVEN.toUpperCase(), null],
  ['without a trace', `00-${'0'.repeat(32)}-${SPAN}-01`, null],
  ['without a span', `00-${TRACE}-${'0'.repeat(16)}-01`, null],
  ['twice', `${GIVEN}, ${GIVEN}`, null],
  ['with spaces around it', ` ${GIVEN}`, null],
  ['with a line end', `${GIVEN}\n`, null],
  ['empty', '', null],
])('a traceparent %s', (_what, text, expected) => {
  expect(readTraceparent(text)).toBe(expected);
});

test('each attempt has a span of its own, in the trace that was given or in one of its own', () => {
  fc.assert(
    fc.property(anything.map(readTraceparent), (parent) => {
      const [one, other] = [newTraceparent(parent), newTraceparent(parent)];
      for (const made of [one, other]) expect(readTraceparent(made)).toBe(made);
      expect(one.slice(36, 52)).not.toBe(other.slice(36, 52));
      if (parent === null) {
        expect(one.slice(0, 35)).not.toBe(other.slice(0, 35));
        expect(one.slice(52)).toBe('-01');
        return;
      }
      for (const made of [one, other]) {
        expect([made.slice(0, 36), made.slice(52)]).toEqual([
          parent.slice(0, 36),
          parent.slice(52),
        ]);
        expect(made).not.toBe(parent);
      }
    }),
  );
});

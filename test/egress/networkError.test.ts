import { expect, test } from 'vitest';

import { codeOf } from '../../src/egress/errorCode.ts';
import { outcomeOfError } from '../../src/egress/networkError.ts';

const error = (code: string): Error => Object.assign(new Error(code), { code });
const several = (...codes: string[]): Error => new AggregateError(codes.map(error));

test.each([
  [
    'an IPv6 address without a route, an IPv4 address that refuses',
    ['ENETUNREACH', 'ECONNREFUSED'],
    'ECONNREFUSED',
  ],
  ['the same the other way round', ['ECONNREFUSED', 'ENETUNREACH'], 'ECONNREFUSED'],
  ['one that times out after one without a route', ['ENETUNREACH', 'ETIMEDOUT'], 'ETIMEDOUT'],
  ['no route to any of them', ['ENETUNREACH', 'ENETUNREACH'], 'ENETUNREACH'],
  ['too many open files at each', ['EMFILE', 'EMFILE'], 'EMFILE'],
])('of several addresses the most telling error decides: %s', (_what, codes, expected) => {
  expect(codeOf(several(...codes))).toBe(expected);
  expect(codeOf(Object.assign(new Error('fetch failed'), { cause: several(...codes) }))).toBe(
    expected,
  );
  const ours = expected === 'ENETUNREACH' || expected === 'EMFILE';
  expect(outcomeOfError(several(...codes), 'connect').kind).toBe(ours ? 'ours' : 'failed');
});

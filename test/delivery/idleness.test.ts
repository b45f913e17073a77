import { expect, test } from 'vitest';

import { idlenessOf, SOON_MS, type Stillness } from '../../src/delivery/idleness.ts';

/** A drain that has read and delivered everything, its last match 400 ms ago. */
const STILL: Stillness = {
  now: 10_000,
  lastMatchAt: 9_600,
  readTo: 50,
  tailEnd: 50,
  open: 0,
  inFlight: 0,
  nextParkedMs: Infinity,
  committedPosition: 50,
  lastCommitAt: 9_900,
  idleAfterMs: 1_000,
};
const LONG_AGO = { lastMatchAt: 9_000, lastCommitAt: 8_000 };

test.each<[string, Partial<Stillness>, { quiet: boolean; store: boolean; idle: boolean }]>([
  ['has nothing left', {}, { quiet: true, store: false, idle: false }],
  ['has had nothing for long', LONG_AGO, { quiet: true, store: false, idle: true }],
  ['has an entry that has not settled', { ...LONG_AGO, open: 1 }, no({})],
  ['has a request open', { ...LONG_AGO, inFlight: 1 }, no({})],
  ['has a parked entry due soon', { ...LONG_AGO, nextParkedMs: SOON_MS }, no({})],
  [
    'has a parked entry due later',
    { ...LONG_AGO, nextParkedMs: SOON_MS + 1 },
    { quiet: true, store: false, idle: true },
  ],
  ['does not know where the stream ends', { ...LONG_AGO, tailEnd: null }, no({})],
  ['has more to read', { ...LONG_AGO, tailEnd: 51 }, no({})],
  [
    'has read over entries of others, and more is to come',
    { ...LONG_AGO, readTo: 90, tailEnd: 500 },
    no({ store: true }),
  ],
  [
    'has just stored, and reads over entries of others',
    { lastCommitAt: 9_500, readTo: 90, tailEnd: 500 },
    no({}),
  ],
  [
    'has read over entries of others to the end of the stream',
    { ...LONG_AGO, readTo: 90, tailEnd: 90 },
    { quiet: true, store: false, idle: true },
  ],
  [
    'has read over entries of others while one of its own is open',
    { ...LONG_AGO, readTo: 90, tailEnd: 500, open: 1 },
    no({}),
  ],
])('a drain that %s', (_what, differs, expected) => {
  const { quietSince, store, idle } = idlenessOf({ ...STILL, ...differs });
  expect({ quiet: quietSince !== null, store, idle }).toEqual(expected);
  if (expected.quiet) expect(quietSince).toBe(differs.lastMatchAt ?? STILL.lastMatchAt);
});

function no(but: { store?: boolean }) {
  return { quiet: false, store: false, idle: false, ...but };
}

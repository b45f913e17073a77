import { expect, test } from 'vitest';

import type { ConsumerSnapshot } from '../../src/consumers/consumerSnapshot.ts';
import {
  isLastAttempt,
  remainingMs,
  untilNextAttempt,
  untilParked,
  untilWarning,
} from '../../src/workflows/timing.ts';
import { ACTIVE } from '../support/snapshot.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-01-02T03:04:05.678Z');

const BLOCKED: ConsumerSnapshot = { ...ACTIVE, status: 'blocked', failingSince: at(-HOUR / 2) };

/** RFC 3339, `ms` from now. */
function at(ms: number): string {
  return new Date(NOW + ms).toISOString();
}

test.each([
  ['half an hour before a 24th of the window is over', {}, HOUR / 2],
  ['when it is over', { failingSince: at(-HOUR) }, 0],
  ['after it is over', { failingSince: at(-2 * HOUR) }, -HOUR],
  ['once warned', { failingSince: at(-HOUR), warned: true }, Infinity],
  ['without a first failure', { failingSince: null }, Infinity],
  ['while active', { status: 'active' as const }, Infinity],
  ['while paused', { status: 'paused' as const }, Infinity],
  ['while stopped', { status: 'stopped' as const }, Infinity],
])('a warning is due one 24th of the window after the first failure: %s', (_, change, expected) => {
  expect(untilWarning({ ...BLOCKED, ...change }, DAY, NOW)).toBe(expected);
});

test('with a shorter window the warning comes sooner', () => {
  expect(untilWarning({ ...BLOCKED, failingSince: at(-100) }, 4_800, NOW)).toBe(100);
});

test.each([
  ['later', {}, 1_234],
  ['now', { parkedDueAt: at(0) }, 0],
  ['since a while', { parkedDueAt: at(-50) }, -50],
  ['none is parked', { parkedDueAt: null }, Infinity],
  ['a drain looks after them', { idle: false }, Infinity],
  ['blocked', { status: 'blocked' as const }, Infinity],
  ['paused', { status: 'paused' as const }, Infinity],
  ['stopped', { status: 'stopped' as const }, Infinity],
])('a parked entry of an idle active consumer is due at its time: %s', (_, change, expected) => {
  const idle = { ...ACTIVE, idle: true, parkedDueAt: at(1_234) };
  expect(untilParked({ ...idle, ...change }, NOW)).toBe(expected);
});

test.each([
  ['at its time', at(500), 0, 500],
  ['overdue', at(-500), 0, -500],
  ['not before a fault of ours is over', at(500), NOW + 1_000, 1_000],
  ['at its time, after that', at(5_000), NOW + 1_000, 5_000],
  ['at once where no time is known', null, 0, -NOW],
  ['where no time is known, after a fault of ours', null, NOW + 1_000, 1_000],
])('the next attempt of a blocked consumer is made %s', (_, nextAttemptAt, notBefore, expected) => {
  expect(untilNextAttempt({ ...BLOCKED, nextAttemptAt }, notBefore, NOW)).toBe(expected);
});

test.each(['active', 'paused', 'stopped'] as const)('no attempt is made while %s', (status) => {
  const snapshot = { ...BLOCKED, status, nextAttemptAt: at(-1) };
  expect(untilNextAttempt(snapshot, NOW - 1, NOW)).toBe(Infinity);
});

test.each([
  ['all of it before the first failure', null, DAY],
  ['the rest after it', at(-HOUR), DAY - HOUR],
  ['nothing at its end', at(-DAY), 0],
  ['less than nothing after its end', at(-DAY - 7), -7],
])('what is left of the retry window: %s', (_, failingSince, expected) => {
  expect(remainingMs({ ...BLOCKED, failingSince }, DAY, NOW)).toBe(expected);
});

test.each([
  ['of 24 h: 30 s before the end', DAY, 30_000, true],
  ['of 24 h: sooner', DAY, 30_001, false],
  ['of 24 h: all of it left', DAY, DAY, false],
  ['after the end, as we were down ourselves', DAY, -1, true],
  ['of 4 s: 250 ms before the end', 4_000, 250, true],
  ['of 4 s: sooner', 4_000, 251, false],
])('the last attempt is one near the end of the window: %s', (_, window, left, expected) => {
  expect(isLastAttempt(left, window)).toBe(expected);
});

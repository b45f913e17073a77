import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { createFailureLog } from '../../src/wake/failureLog.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const FAIL = 'calls to Temporal fail; they are repeated as fast as Temporal accepts them';
const OVER = 'Temporal accepts calls again';

function openLog() {
  const lines: [message: string, given: object][] = [];
  const note = (given: object, message: string): void => void lines.push([message, given]);
  const log = createFailureLog({ waiting: () => 7, log: { warn: note, info: note } as never });
  return { log, lines, pass: (ms: number) => vi.advanceTimersByTime(ms) };
}

test('hundreds of failures lead to one line with their number, and to one more when they are over', () => {
  const { log, lines, pass } = openLog();
  const first = new Error('first');
  log.failed('c0', first);
  for (let n = 1; n < 300; n += 1) log.failed(`c${n}`, new Error('another'));
  pass(1_000);
  expect(lines).toEqual([[FAIL, { err: first, call: 'c0', failed: 300, waiting: 7 }]]);
  for (let second = 0; second < 60; second += 1) {
    log.failed('c', new Error('another'));
    pass(1_000);
  }
  log.answered();
  pass(4_999);
  expect(lines).toHaveLength(1);
  pass(1);
  expect(lines[1]).toEqual([OVER, { failed: 360, seconds: 66 }]);
  pass(60_000);
  expect(lines).toHaveLength(2);
});

test('single answers between failures do not end a series of them, and neither does silence without an answer', () => {
  const { log, lines, pass } = openLog();
  for (let n = 0; n < 100; n += 1) {
    log.failed('c', new Error('away'));
    log.answered();
    pass(1_000);
  }
  log.failed('c', new Error('away'));
  pass(600_000);
  expect(lines).toHaveLength(1);
  log.answered();
  pass(5_000);
  expect(lines).toHaveLength(2);
});

test('a failure after the end of a series begins a new one', () => {
  const { log, lines, pass } = openLog();
  for (let n = 0; n < 2; n += 1) {
    log.failed('c', new Error('away'));
    log.answered();
    pass(6_000);
  }
  expect(lines.map(([message]) => message)).toEqual([FAIL, OVER, FAIL, OVER]);
});

test('a process that ends logs what it has not logged yet, and leaves no timer', () => {
  const { log, lines } = openLog();
  log.failed('c', new Error('away'));
  log.answered();
  log.close();
  expect(lines).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});

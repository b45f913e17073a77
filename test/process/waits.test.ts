import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { createWaits } from '../../src/process/waits.ts';

const POLL_MS = 1_000;
const LONG_MS = 60_000;
const never = new AbortController().signal;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Waits whose polls are counted, and which of them are over. */
function someWaits() {
  let polls = 0;
  const over: string[] = [];
  const waits = createWaits<string>({ poll: () => (polls += 1), pollMs: POLL_MS });
  return {
    waits,
    over,
    polls: () => polls,
    wait: (what: string, ms = LONG_MS, signal = never) =>
      waits.until(what, ms, signal).then(() => void over.push(what)),
  };
}

test('a wait ends when it is called, at its deadline, by its signal or when all waits are closed, and in no other way', async () => {
  const { waits, over, wait } = someWaits();
  const leaving = new AbortController();
  void wait('called');
  void wait('late', 10);
  void wait('left', LONG_MS, leaving.signal);
  void wait('patient');
  await vi.advanceTimersByTimeAsync(0);
  expect(over).toEqual([]);
  waits.end((what) => what === 'called');
  await vi.advanceTimersByTimeAsync(0);
  expect(over).toEqual(['called']);
  await vi.advanceTimersByTimeAsync(10);
  expect(over).toEqual(['called', 'late']);
  leaving.abort();
  await vi.advanceTimersByTimeAsync(0);
  expect(over).toEqual(['called', 'late', 'left']);
  expect(waits.all()).toEqual(['patient']);
  waits.close();
  await vi.advanceTimersByTimeAsync(0);
  expect(over).toEqual(['called', 'late', 'left', 'patient']);
  expect(waits.all()).toEqual([]);
});

test('one poll serves all waits, and nothing is polled while there are none', async () => {
  const { waits, polls, wait } = someWaits();
  await vi.advanceTimersByTimeAsync(10 * POLL_MS);
  expect(polls()).toBe(0);
  for (let n = 0; n < 100; n += 1) void wait(`${n}`);
  await vi.advanceTimersByTimeAsync(3 * POLL_MS);
  expect(polls()).toBe(3);
  waits.end(() => true);
  await vi.advanceTimersByTimeAsync(10 * POLL_MS);
  expect(polls()).toBe(3);
  void wait('another');
  await vi.advanceTimersByTimeAsync(POLL_MS);
  expect(polls()).toBe(4);
  waits.close();
  await vi.advanceTimersByTimeAsync(0);
  expect(vi.getTimerCount()).toBe(0);
});

test('a wait that is aborted already, or begins after all waits are closed, ends immediately', async () => {
  const { waits, over, wait } = someWaits();
  await wait('left', LONG_MS, AbortSignal.abort());
  expect(waits.isClosed).toBe(false);
  waits.close();
  expect(waits.isClosed).toBe(true);
  await wait('late');
  expect(over).toEqual(['left', 'late']);
  expect(vi.getTimerCount()).toBe(0);
});

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { createPacedQueue } from '../../src/wake/pacedQueue.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** What a call gives up after, ms: as the one that wakes. */
const DEADLINE_MS = 5_000;
const SECOND = 1_000;

/**
 * A Temporal that answers one call after another, `perSecond` of them, or refuses immediately or after
 * the deadline; with a queue before it.
 */
function openTemporal() {
  let perSecond = 1_000;
  let fault: 'refuses' | 'hangs' | null = null;
  let busyUntil = 0;
  let underWay = 0;
  const calls: { key: string; at: number; taken: boolean }[] = [];
  const lines: { message: string; failed: number }[] = [];
  const note = (given: object, message: string): void =>
    void lines.push({ message, ...(given as { failed: number }) });
  const queue = createPacedQueue({
    isRefusal: (error) => error instanceof RangeError,
    random: () => 1,
    log: { warn: note, info: note } as never,
  });
  const most = { underWay: 0 };

  async function act(key: string): Promise<void> {
    const now = performance.now();
    const call = { key, at: now, taken: false };
    calls.push(call);
    underWay += 1;
    most.underWay = Math.max(most.underWay, underWay);
    busyUntil = Math.max(busyUntil, now) + SECOND / perSecond;
    const ms = { refuses: 1, hangs: DEADLINE_MS, none: busyUntil - now }[fault ?? 'none'];
    const fails = fault !== null || ms >= DEADLINE_MS;
    await new Promise((resolve) => setTimeout(resolve, Math.min(ms, DEADLINE_MS)));
    underWay -= 1;
    if (fails) throw new Error('away');
    call.taken = true;
  }

  return {
    queue,
    calls,
    lines,
    most,
    put: (...keys: string[]) => {
      for (const key of keys) queue.put({ key, isRepetition: false, act: () => act(key) });
    },
    repeat: (...keys: string[]) => {
      for (const key of keys) queue.put({ key, isRepetition: true, act: () => act(key) });
    },
    set: (next: { perSecond?: number; fault?: typeof fault }) => {
      if (next.perSecond !== undefined) perSecond = next.perSecond;
      if (next.fault !== undefined) fault = next.fault;
    },
    /** How many calls began in each of the next seconds. */
    pass: async (seconds: number) => {
      const counts: number[] = [];
      for (let second = 0; second < seconds; second += 1) {
        const before = calls.length;
        await vi.advanceTimersByTimeAsync(SECOND);
        counts.push(calls.length - before);
      }
      return counts;
    },
  };
}

function keys(count: number, name = 'c'): string[] {
  return Array.from({ length: count }, (_, n) => `${name}${n}`);
}

test('calls are made in their order, repetitions after the others', async () => {
  const { put, repeat, set, pass, calls } = openTemporal();
  set({ perSecond: 10 });
  put(...keys(8, 'before'));
  repeat('r0', 'r1');
  put('c0', 'c1', 'c2', 'c3');
  await pass(3);
  expect(calls.slice(8).map(({ key }) => key)).toEqual(['c0', 'c1', 'c2', 'c3', 'r0', 'r1']);
});

test('every eighth call is a repetition, however many other calls wait', async () => {
  const { put, repeat, pass, calls } = openTemporal();
  put(...keys(100));
  repeat(...keys(5, 'r'));
  await pass(1);
  const turns = calls.flatMap(({ key }, index) => (key.startsWith('r') ? [index] : []));
  expect(turns).toHaveLength(5);
  expect(Math.max(...turns)).toBeLessThan(50);
  turns.slice(1).forEach((turn, index) => expect(turn - (turns[index] ?? 0)).toBe(8));
});

test('of several calls with one key the newest is made, once, after the one in progress', async () => {
  const { queue, pass } = openTemporal();
  const made: number[] = [];
  const gates = keys(3).map(() => Promise.withResolvers<void>());
  const put = (version: number, isRepetition = false): void =>
    queue.put({
      key: 'c',
      isRepetition,
      act: () => {
        made.push(version);
        return gates[made.length - 1]?.promise ?? Promise.resolve();
      },
    });
  put(1);
  put(2);
  put(3, true);
  put(4);
  await pass(1);
  expect(made).toEqual([1]);
  expect(queue.reading).toMatchObject({ waiting: 1, underWay: 1 });
  gates[0]?.resolve();
  await pass(1);
  expect(made).toEqual([1, 4]);
  expect(queue.has('c')).toBe(true);
  gates[1]?.resolve();
  await pass(1);
  expect(made).toEqual([1, 4]);
  expect(queue.has('c')).toBe(false);
});

test('a call that is dropped is not made', async () => {
  const { queue, put, pass, calls } = openTemporal();
  put(...keys(20));
  queue.drop((key) => key !== 'c15');
  expect(queue.reading.waiting).toBe(1);
  await pass(1);
  expect(calls.map(({ key }) => key)).toEqual([...keys(8), 'c15']);
});

test('when Temporal becomes slow it gets fewer calls at a time, each once, and more when it is quick again', async () => {
  const { queue, put, set, pass, calls, lines, most } = openTemporal();
  put(...keys(1_000));
  await pass(1);
  expect(most.underWay).toBe(32);
  put(...keys(1_000, 'slow'));
  set({ perSecond: 20 });
  await pass(5);
  most.underWay = 0;
  const served = await pass(10);
  expect(most.underWay).toBeLessThanOrEqual(8);
  expect(served.reduce((sum, count) => sum + count)).toBeGreaterThan(195); // all that it can take
  set({ perSecond: 1_000 });
  await pass(3);
  expect(queue.reading).toMatchObject({ limit: 32, waiting: 0, failures: 0 });
  expect(calls).toHaveLength(2_000);
  expect(lines).toEqual([]);
});

test('a Temporal that refuses everything is called less and less often, and gets all calls when it is back', async () => {
  const { queue, put, repeat, set, pass, calls, lines, most } = openTemporal();
  put(...keys(200));
  await pass(1);
  set({ fault: 'refuses' });
  calls.length = 0;
  put(...keys(400));
  /** Who puts them in repeats each second those that failed, as a sweep does. */
  const passAndRepeat = async (seconds: number): Promise<number[]> => {
    const counts: number[] = [];
    for (let second = 0; second < seconds; second += 1) {
      counts.push(...(await pass(1)));
      const taken = new Set(calls.filter((one) => one.taken).map(({ key }) => key));
      repeat(...keys(400).filter((key) => !taken.has(key) && !queue.has(key)));
    }
    return counts;
  };
  const counts = await passAndRepeat(40);
  expect(counts[0]).toBeLessThanOrEqual(33); // what may be under way, and the first single one
  expect(Math.max(...counts.slice(1))).toBe(1);
  expect(counts.slice(10).reduce((sum, count) => sum + count)).toBeLessThanOrEqual(7);
  expect(queue.reading.limit).toBe(1);

  set({ fault: null });
  most.underWay = 0;
  await passAndRepeat(7);
  expect(calls.filter((one) => one.taken)).toHaveLength(400);
  expect(new Set(calls.filter((one) => one.taken).map(({ key }) => key)).size).toBe(400);
  expect(most.underWay).toBeLessThanOrEqual(32);
  await pass(6);
  expect(lines).toMatchObject([
    { message: 'calls to Temporal fail; they are repeated as fast as Temporal accepts them' },
    { message: 'Temporal accepts calls again', failed: queue.reading.failures },
  ]);
});

test('a Temporal that hangs for some seconds gets no burst of calls when it is back', async () => {
  const { queue, put, set, pass, calls, most } = openTemporal();
  put(...keys(300, 'before'));
  await pass(1);
  set({ fault: 'hangs' });
  calls.length = 0;
  put(...keys(120));
  expect(calls).toHaveLength(32);
  await pass(9);
  expect(calls.length - 32).toBeLessThanOrEqual(1);
  set({ fault: null });
  most.underWay = 0;
  calls.length = 0;
  await pass(6);
  expect(queue.reading).toMatchObject({ waiting: 0, underWay: 0 });
  expect(most.underWay).toBeLessThanOrEqual(16 + 4); // half of what there was, and a slow growth
});

test('a call that Temporal refuses for a reason of its own does not slow down others', async () => {
  const { queue, put, pass } = openTemporal();
  const refuse = (): Promise<void> => Promise.reject(new RangeError('too many signals'));
  for (const key of keys(50, 'bad')) queue.put({ key, isRepetition: false, act: refuse });
  await pass(1);
  expect(queue.reading.limit).toBeGreaterThanOrEqual(8);
  expect(queue.reading.failures).toBe(50);
  put('c');
  await pass(1);
  expect(queue.has('c')).toBe(false);
});

test('when the queue is closed, calls in progress end and no more begin', async () => {
  const { queue, put, set, pass, calls } = openTemporal();
  set({ perSecond: 10 });
  put(...keys(20));
  let isClosed = false;
  const closing = queue.close().then(() => (isClosed = true));
  put('late');
  expect(isClosed).toBe(false);
  await pass(2);
  await closing;
  expect(calls).toHaveLength(8);
  expect(vi.getTimerCount()).toBe(0);
});

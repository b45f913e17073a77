import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { createWakeSignals } from '../../src/wake/wakeSignals.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Signals to consumers that want until they are `served`, as the leader's rows would say. */
function someSignals(take: () => Promise<void> = async () => undefined) {
  const wanting = new Map<string, number>();
  const sent: string[] = [];
  let sweeps = 0;
  let warnings = 0;
  const signals = createWakeSignals({
    store: {
      wanting: async () => {
        sweeps += 1;
        return [...wanting].map(([consumerId, wanted]) => ({ consumerId, wanted }));
      },
    },
    signal: (consumerId, wanted) => {
      sent.push(`${consumerId}@${wanted}`);
      return take();
    },
    log: { warn: () => void (warnings += 1) },
  });
  return {
    want: (consumerId: string, position: number) => {
      wanting.set(consumerId, position);
      signals.want(consumerId, position);
    },
    wantedBefore: (consumerId: string, position: number) => void wanting.set(consumerId, position),
    served: (consumerId: string) => void wanting.delete(consumerId),
    round: () => signals.round(),
    /** A round now and after each `everyMs`, until `ms` have passed; what was signalled meanwhile. */
    rounds: async (ms: number, everyMs: number) => {
      for (let passed = 0; ; passed += everyMs) {
        await signals.round();
        await vi.advanceTimersByTimeAsync(0); // sends
        if (passed >= ms) return sent.splice(0);
        await vi.advanceTimersByTimeAsync(everyMs);
      }
    },
    counts: () => ({ sweeps, warnings }),
  };
}

test('what is wanted is signalled with the next round, once, and again after 5 s', async () => {
  const { want, rounds } = someSignals();
  want('c', 7);
  expect(await rounds(4_800, 200)).toEqual(['c@7']);
  expect(await rounds(400, 200)).toEqual(['c@7']);
});

test('one that was served is not signalled again, and anew when it wants anew', async () => {
  const { want, served, rounds } = someSignals();
  want('c', 7);
  expect(await rounds(0, 200)).toEqual(['c@7']);
  served('c');
  expect(await rounds(20_000, 1_000)).toEqual([]);
  want('c', 9);
  expect(await rounds(0, 200)).toEqual(['c@9']);
});

test('one that wants something new is signalled immediately, however soon after its last signal', async () => {
  const { want, rounds } = someSignals();
  want('c', 7);
  await rounds(0, 200);
  want('c', 8);
  expect(await rounds(0, 200)).toEqual(['c@8']);
});

test('what was wanted before this process led is found by looking, once a second', async () => {
  const { wantedBefore, rounds, counts } = someSignals();
  await rounds(0, 100);
  wantedBefore('c', 7);
  expect(await rounds(800, 100)).toEqual([]);
  expect(await rounds(200, 100)).toEqual(['c@7']);
  expect(counts().sweeps).toBe(2);
});

test('a signal that its workflow did not take is told of and repeated after a second', async () => {
  const { want, rounds, counts } = someSignals(() => Promise.reject(new Error('away')));
  want('c', 7);
  expect(await rounds(3_000, 1_000)).toEqual(['c@7', 'c@7', 'c@7', 'c@7']);
  expect(counts().warnings).toBe(4);
});

test('a round does not wait for signals, and sends 32 at a time', async () => {
  let underWay = 0;
  const taken = Promise.withResolvers<void>();
  const { want, round } = someSignals(() => {
    underWay += 1;
    return taken.promise;
  });
  for (let n = 0; n < 100; n += 1) want(`c${n}`, n);
  await round();
  expect(underWay).toBe(32);
  taken.resolve();
  await vi.advanceTimersByTimeAsync(0);
  expect(underWay).toBe(100);
});

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { Wanting } from '../../src/wake/leaderStore.ts';
import { createPacedQueue } from '../../src/wake/pacedQueue.ts';
import { createRounds } from '../../src/wake/rounds.ts';
import { createWakeSignals } from '../../src/wake/wakeSignals.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Signals to consumers that want until they are `served`, as the leader's rows would say. */
function someSignals(take: (consumerId: string) => Promise<void> = async () => undefined) {
  const wanting = new Map<string, number>();
  const sent: string[] = [];
  let sweeps = 0;
  let warnings = 0;
  const queue = createPacedQueue({
    isRefusal: (error) => error instanceof RangeError,
    random: () => 1,
    log: { warn: () => void (warnings += 1), info: () => undefined },
  });
  const signals = createWakeSignals({
    store: {
      wanting: createRounds({
        wanting: async (limit, after) => {
          sweeps += 1;
          return [...wanting]
            .filter(([, wanted]) => after == null || wanted > after.wanted)
            .sort(([, a], [, b]) => a - b)
            .slice(0, limit)
            .map(([consumerId, wanted]): Wanting => {
              return { consumerId, wanted, needsDrain: true, region: 'here', hasLanes: false };
            });
        },
      }),
    },
    signal: (consumerId, wanted) => {
      sent.push(`${consumerId}@${wanted}`);
      return take(consumerId);
    },
    queue,
  });
  return {
    queue,
    sent,
    want: (consumerId: string, position: number) => {
      wanting.set(consumerId, position);
      signals.want(consumerId, position);
    },
    wantedBefore: (consumerId: string, position: number) => void wanting.set(consumerId, position),
    served: (consumerId: string) => void wanting.delete(consumerId),
    drop: () => signals.drop(),
    sweep: () => signals.sweep(),
    /** A look now and after each `everyMs`, until `ms` have passed; what was signalled meanwhile. */
    looks: async (ms: number, everyMs: number) => {
      for (let passed = 0; ; passed += everyMs) {
        await signals.sweep();
        await vi.advanceTimersByTimeAsync(0); // sends
        if (passed >= ms) return sent.splice(0);
        await vi.advanceTimersByTimeAsync(everyMs);
      }
    },
    counts: () => ({ sweeps, warnings }),
  };
}

test('a consumer that wants an entry is signalled immediately, once, and again after 5 s', async () => {
  const { want, looks } = someSignals();
  want('c', 7);
  expect(await looks(4_800, 200)).toEqual(['c@7']);
  expect(await looks(400, 200)).toEqual(['c@7']);
});

test('a consumer that was served is not signalled again until it wants another entry', async () => {
  const { want, served, looks } = someSignals();
  want('c', 7);
  expect(await looks(0, 200)).toEqual(['c@7']);
  served('c');
  expect(await looks(20_000, 1_000)).toEqual([]);
  want('c', 9);
  expect(await looks(0, 200)).toEqual(['c@9']);
});

test('a consumer that wants another entry is signalled immediately, however soon after its last signal', async () => {
  const { want, looks } = someSignals();
  want('c', 7);
  await looks(0, 200);
  want('c', 8);
  expect(await looks(0, 200)).toEqual(['c@8']);
});

test('consumers that wanted an entry before this process was the leader are found by a query once a second', async () => {
  const { wantedBefore, looks, counts } = someSignals();
  await looks(0, 100);
  wantedBefore('c', 7);
  expect(await looks(800, 100)).toEqual([]);
  expect(await looks(200, 100)).toEqual(['c@7']);
  expect(counts().sweeps).toBe(2);
});

test('a signal that its workflow did not accept is reported, and repeated after a second', async () => {
  const { want, looks, counts } = someSignals(() => Promise.reject(new Error('away')));
  want('c', 7);
  expect(await looks(2_000, 1_000)).toEqual(['c@7', 'c@7', 'c@7']);
  expect(counts().warnings).toBe(1);
});

test('a consumer whose signal takes long is not signalled meanwhile, and again 5 s after the answer', async () => {
  const taken = Promise.withResolvers<void>();
  const { want, looks } = someSignals(() => taken.promise);
  want('c', 7);
  expect(await looks(20_000, 1_000)).toEqual(['c@7']);
  taken.resolve();
  expect(await looks(4_000, 1_000)).toEqual([]);
  expect(await looks(2_000, 1_000)).toEqual(['c@7']);
});

test('a consumer that waits for its signal and is served meanwhile is not signalled', async () => {
  const gate = Promise.withResolvers<void>();
  const { want, served, looks, queue } = someSignals(() => gate.promise);
  for (let n = 0; n < 20; n += 1) want(`c${n}`, n);
  expect(await looks(0, 200)).toHaveLength(8);
  for (let n = 8; n < 19; n += 1) served(`c${n}`);
  await looks(1_000, 1_000);
  expect(queue.reading.waiting).toBe(1);
  gate.resolve();
  expect(await looks(0, 200)).toEqual(['c19@19']);
});

test('while another process is the leader, this one signals no waiting consumers; once it is the leader again, it does', async () => {
  const gate = Promise.withResolvers<void>();
  const { want, looks, drop, queue } = someSignals((id) =>
    id === 'c9' ? Promise.resolve() : gate.promise,
  );
  for (let n = 0; n < 10; n += 1) want(`c${n}`, n);
  queue.put({ key: 'something else', isRepetition: false, act: () => Promise.resolve() });
  drop();
  expect(queue.reading.waiting).toBe(1);
  gate.resolve();
  await vi.advanceTimersByTimeAsync(100);
  expect(queue.has('something else')).toBe(false);
  expect((await looks(1_000, 1_000)).slice(8).sort()).toEqual(['c8@8', 'c9@9']);
});

test('a consumer whose signals failed is signalled before those whose signal is only repeated', async () => {
  const gate = Promise.withResolvers<void>();
  const take: Record<string, () => Promise<void>> = {
    old: () => Promise.resolve(),
    new: () => Promise.reject(new RangeError('refused')),
  };
  const { want, looks } = someSignals((id) => (take[id] ?? (() => gate.promise))());
  want('old', 1);
  await looks(4_000, 1_000);
  want('new', 2);
  await looks(0, 1_000);
  for (let n = 0; n < 10; n += 1) want(`busy${n}`, n); // so that the others wait for a turn
  await looks(2_000, 1_000);
  gate.resolve();
  const sent = await looks(0, 1_000);
  expect(sent.filter((one) => !one.startsWith('busy'))).toEqual(['new@2', 'old@1']);
});

test('a consumer behind more unserved ones than one query reads is signalled as well', async () => {
  const { wantedBefore, looks } = someSignals();
  for (let n = 0; n < 4_001; n += 1) wantedBefore(`c${n}`, n);
  const sent = await looks(2_000, 1_000);
  expect(sent.filter((one) => one === 'c4000@4000')).toHaveLength(1);
  expect(new Set(sent).size).toBe(4_001);
});

test('a consumer that waits for its signal is not forgotten because a query did not reach it', async () => {
  const gate = Promise.withResolvers<void>();
  const { want, looks, queue } = someSignals(() => gate.promise);
  for (let n = 0; n < 2_500; n += 1) want(`c${n}`, n);
  await looks(4_000, 1_000);
  expect(queue.reading.waiting + queue.reading.underWay).toBe(2_500);
  gate.resolve();
});

test('more consumers than one query reads are signalled once each as well', async () => {
  const { want, served, looks } = someSignals(async (consumerId) => {
    await new Promise((resolve) => void setTimeout(resolve, 20));
    setTimeout(() => served(consumerId), 2_500);
  });
  for (let n = 0; n < 5_000; n += 1) want(`c${n}`, n);
  const sent = await looks(7_000, 1_000);
  expect(new Set(sent).size).toBe(5_000);
  expect(sent).toHaveLength(5_000);
});

import { expect, test } from 'vitest';

import { concludeDrain } from '../../src/delivery/conclusion.ts';
import { createEnding } from '../../src/delivery/ending.ts';
import { createParkedEntries } from '../../src/failure/parkedEntries.ts';
import { createInFlightLimit } from '../../src/flow/inFlightLimit.ts';
import { createPace } from '../../src/flow/pace.ts';
import type { Release } from '../../src/progress/lease.ts';
import type { OpenTarget } from '../../src/targets/openTarget.ts';
import { parkedRow } from '../support/parkedRows.ts';

/** The end of a drain whose parked entry was delivered just before; `flush` stores it, or does not. */
function openConclusion(flush: (parts: { stored: () => void; fail: () => void }) => void) {
  const released: Release[] = [];
  let flushes = 0;
  const parked = createParkedEntries({
    windowMs: 1_000,
    clock: () => 0,
    nowMs: () => 0,
    now: Date.now,
    rows: [parkedRow(3)],
    total: 0,
  });
  const [due] = parked.due();
  parked.delivered(due!);
  const ending = createEnding({
    inFlight: () => 0,
    begun: () => undefined,
    leave: () => undefined,
    conclude: () =>
      concludeDrain({
        consumerId: 'c',
        epoch: 1,
        slidingWindow: { settled: () => ({ position: 5, ahead: [] }) },
        limit: createInFlightLimit({ max: 10, found: null, ramp: false }),
        pace: createPace(null),
        outage: { close: () => null },
        parked,
        ending,
        progress: {
          release: (release) => {
            released.push(release);
            return Promise.resolve(true);
          },
        },
        flush: () => {
          flushes += 1;
          if (flushes > 5) throw new Error('it flushes without end');
          flush({
            stored: () => {
              parked.toStore();
              parked.committed();
            },
            fail: () => ending.fail(new Error('given up')),
          });
          return Promise.resolve();
        },
        target: () => ({}) as OpenTarget,
        clock: () => 0,
        nowMs: () => 0,
      }),
  });
  return { ending, released };
}

test('a drain that ends stores its remaining outcomes, then releases its lease', async () => {
  const { ending, released } = openConclusion(({ stored }) => stored());
  ending.begin('yielded');
  await expect(ending.ended).resolves.toMatchObject({ reason: 'yielded', position: 5 });
  expect(released).toMatchObject([{ consumerId: 'c', epoch: 1, idle: false, head: null }]);
});

test('an outcome that comes while others are being stored is stored as well before the lease is released', async () => {
  let rounds = 0;
  const { ending, released } = openConclusion(({ stored }) => {
    rounds += 1;
    if (rounds === 2) stored(); // the first round took its outcomes before
  });
  ending.begin('idle');
  await expect(ending.ended).resolves.toMatchObject({ reason: 'idle' });
  expect([rounds, released.length]).toEqual([2, 1]);
});

test('a drain whose outcomes are given up while it ends does end, and does not release its lease', async () => {
  const { ending, released } = openConclusion(({ fail }) => fail());
  ending.begin('yielded');
  await expect(ending.ended).rejects.toThrow('given up');
  expect(released).toEqual([]);
});

import { expect, test } from 'vitest';

import type { Drain } from '../../src/delivery/drainContext.ts';
import { createVisiting } from '../../src/visits/visiting.ts';

/** A sender that notes its ticks and the reasons for which it was stopped. */
function openSender(of: Partial<Drain>): Drain & { ticks: number; stopped: string[] } {
  const sender = {
    ended: new Promise<never>(() => undefined),
    ticks: 0,
    stopped: [] as string[],
    stop: (reason: string) => void sender.stopped.push(reason),
    tick: () => {
      sender.ticks += 1;
    },
    quietSince: null,
    restsUntil: -Infinity,
    isFailing: false,
    settledCount: 0,
    position: 0,
    ...of,
  };
  return sender;
}

test('of many failing consumers whose next attempts are due together, some get their turn in each tick', () => {
  const visiting = createVisiting();
  const failing = Array.from({ length: 250 }, () => {
    const sender = openSender({ isFailing: true, restsUntil: 5 });
    const tick = (): void => {
      sender.ticks += 1;
      Object.assign(sender, { restsUntil: 1_000 }); // its next attempt
    };
    return Object.assign(sender, { tick });
  });
  const trying = openSender({ isFailing: true });
  const well = openSender({});
  for (const [index, one] of [...failing, trying, well].entries())
    visiting.add(`${index}`, one, 'events');
  const turns = [10, 20, 30, 40].map((now) => {
    visiting.tick(now);
    return failing.reduce((sum, { ticks }) => sum + ticks, 0);
  });
  expect(turns).toEqual([100, 200, 250, 250]);
  expect([trying.ticks, well.ticks]).toEqual([4, 4]);
});

test('consumers whose next attempts are due do not wait for thousands of busy ones', () => {
  const visiting = createVisiting();
  const busy = Array.from({ length: 4_000 }, () => openSender({}));
  const failing = Array.from({ length: 300 }, () => {
    const sender = openSender({ isFailing: true, restsUntil: 5 });
    const tick = (): void => {
      sender.ticks += 1;
      Object.assign(sender, { restsUntil: 1_000_000 });
    };
    return Object.assign(sender, { tick });
  });
  for (const [index, one] of [...busy, ...failing].entries())
    visiting.add(`${index}`, one, 'events');
  for (let tick = 1; tick <= 3; tick += 1) visiting.tick(tick * 10);
  expect(failing.every(({ ticks }) => ticks === 1)).toBe(true);
  for (let tick = 4; tick <= 23; tick += 1) visiting.tick(tick * 10);
  expect(busy.every(({ ticks }) => ticks >= 1)).toBe(true);
});

test('of thousands of senders with something to do, some hundreds get their turn in each tick, all equally often, and all at once when the lease is over', () => {
  const visiting = createVisiting();
  const all = Array.from({ length: 1_000 }, () => openSender({}));
  for (const [index, one] of all.entries()) visiting.add(`${index}`, one, 'events');
  const ticks = (): number => all.reduce((sum, one) => sum + one.ticks, 0);
  for (let tick = 1; tick <= 8; tick += 1) {
    const before = ticks();
    visiting.tick(tick);
    expect(ticks() - before).toBeLessThan(500);
  }
  expect(new Set(all.map((one) => one.ticks))).toEqual(new Set([2]));
  visiting.tick(9, true);
  expect(new Set(all.map((one) => one.ticks))).toEqual(new Set([3]));
});

test('a consumer whose endpoint fails or is slow does not count as busy, however long it takes', () => {
  const visiting = createVisiting();
  const failing = openSender({ isFailing: true });
  const busy = openSender({});
  const slow = openSender({});
  for (const [key, one] of Object.entries({ failing, busy, slow }))
    visiting.add(key, one, 'events');
  visiting.tick(performance.now());
  Object.assign(busy, { settledCount: 200 });
  Object.assign(slow, { settledCount: 1 });
  expect(visiting.tick(performance.now() + 60_000)).toEqual(['busy']);
});

test('when room is short, quiet consumers are released first, and then those whose endpoints fail', () => {
  const visiting = createVisiting();
  const quiet = openSender({ quietSince: 1 });
  const failing = [openSender({ isFailing: true }), openSender({ isFailing: true })];
  const busy = openSender({});
  for (const [index, one] of [busy, ...failing, quiet].entries())
    visiting.add(`${index}`, one, 'events');
  visiting.endFailing(2 - visiting.endQuietest(2));
  expect(quiet.stopped).toEqual(['idle']);
  expect(failing.map(({ stopped }) => stopped)).toEqual([['blocked'], []]);
  expect(busy.stopped).toEqual([]);
});

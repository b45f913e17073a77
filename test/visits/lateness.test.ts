import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { createClaimer } from '../../src/visits/claimer.ts';
import { createLateness } from '../../src/visits/lateness.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

test('late ticks are noted, and soon forgotten when ticks come in time', () => {
  const lateness = createLateness(50);
  const after = (ms: number): number => {
    vi.advanceTimersByTime(ms);
    lateness.tick();
    return lateness.ms;
  };
  expect([50, 60, 850, 50, 50, 50, 1_050].map(after)).toEqual([0, 10, 800, 400, 200, 100, 1_000]);
});

test('a lane in a process that is late pauses before it claims more consumers, and otherwise claims without a pause', async () => {
  const lateness = { ms: 800 };
  let claims = 0;
  let asked = 0;
  const claimer = createClaimer({
    store: {
      claim: ({ limit, lost }) => {
        if (lost) return Promise.resolve([]);
        claims += 1;
        const one = { consumerId: 'one', waitedMs: null } as never;
        return Promise.resolve(Array.from({ length: limit }, () => one));
      },
      load: () => Promise.resolve([]),
      letGoOfUnknown: () => Promise.resolve(0),
      lease: { endLapsed: () => Promise.resolve() } as never,
    },
    region: 'here',
    most: 10_000,
    ask: () => (asked += 1),
    lateness,
    interrupted: (error) => expect.unreachable(String(error)),
    log: { info: () => undefined },
  });
  const current = { term: { id: 'lane' }, visits: { size: 0 } } as never;
  await claimer.claimSome(current);
  await claimer.settled();
  expect(claims).toBe(1);
  for (const [passed, expected] of [
    [700, 1],
    [110, 2],
  ] as const) {
    vi.advanceTimersByTime(passed);
    await claimer.claimSome(current);
    await claimer.settled();
    expect(claims).toBe(expected);
  }
  lateness.ms = 0;
  vi.advanceTimersByTime(810);
  const before = asked;
  await claimer.claimSome(current);
  expect(asked).toBeGreaterThan(before);
  await claimer.settled();
});

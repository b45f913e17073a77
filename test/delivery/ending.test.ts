import { expect, test } from 'vitest';

import {
  createEnding,
  endsBy,
  type DrainEnd,
  type Ending,
  type EndReason,
} from '../../src/delivery/ending.ts';
import type { FailureVerdict } from '../../src/failure/verdict.ts';
import { CannotStart } from '../../src/rules/startFault.ts';

function openEnding(conclude?: (ending: Ending) => Promise<DrainEnd>) {
  const counts = { concluded: 0, left: 0, inFlight: 0 };
  const ending = createEnding({
    inFlight: () => counts.inFlight,
    begun: () => undefined,
    conclude: () => {
      counts.concluded += 1;
      if (conclude !== undefined) return conclude(ending);
      const reason = ending.reason ?? 'yielded';
      return Promise.resolve({ reason, position: 7, head: null, parkedDueAt: null });
    },
    leave: () => {
      counts.left += 1;
    },
  });
  return { ending, counts };
}

const REASONS: (EndReason | null)[] = [
  null,
  'idle',
  'changed',
  'yielded',
  'unstartable',
  'parked',
  'blocked',
  'gone',
  'fenced',
];

const times = (count: number, reason: EndReason): EndReason[] => Array(count).fill(reason);

test.each<[FailureVerdict, (EndReason | null)[]]>([
  ['goes on', REASONS],
  ['blocked', [...times(5, 'blocked'), 'parked', 'blocked', 'gone', 'fenced']],
  ['parked', [...times(5, 'parked'), 'parked', 'blocked', 'gone', 'fenced']],
  ['gone', [...times(5, 'gone'), 'gone', 'gone', 'gone', 'fenced']],
])('a verdict of "%s" is combined with every reason to end', (verdict, after) => {
  expect(REASONS.map((reason) => endsBy(verdict, reason))).toEqual(after);
});

test('a drain with nothing in flight concludes immediately and once, and leaves', async () => {
  const { ending, counts } = openEnding();
  ending.concludeWhenQuiet();
  expect(counts.concluded).toBe(0); // it has no reason to end
  ending.begin('idle');
  expect(ending.concluding).toBe(true);
  ending.begin('changed');
  ending.concludeWhenQuiet();
  await expect(ending.ended).resolves.toMatchObject({ reason: 'idle', position: 7 });
  expect(counts).toMatchObject({ concluded: 1, left: 1 });
});

test('a drain waits for what is in flight, and keeps the reason that came first', async () => {
  const { ending, counts } = openEnding();
  counts.inFlight = 1;
  ending.begin('changed');
  ending.begin('yielded');
  expect(counts.concluded).toBe(0);
  counts.inFlight = 0;
  ending.concludeWhenQuiet();
  await expect(ending.ended).resolves.toMatchObject({ reason: 'changed' });
});

test('a verdict alone does not conclude the drain: the outcome that led to it has to be handed over first', () => {
  const { ending, counts } = openEnding();
  ending.judge('blocked');
  expect([ending.reason, counts.concluded]).toEqual(['blocked', 0]);
});

test('a lasting fault ends a drain once all requests in flight have ended, unless a verdict on the endpoint follows', () => {
  const { ending, counts } = openEnding();
  const fault = new CannotStart('proxy_unreachable', 'the proxy is away');
  ending.cannotSend(fault);
  expect([ending.reason, ending.fault, counts.concluded]).toEqual(['unstartable', fault, 0]);
  ending.judge('blocked');
  expect(ending.reason).toBe('blocked');
});

test('a drain that is fenced while it concludes ends as fenced', async () => {
  const { ending } = openEnding(async (one) => {
    one.fence();
    await Promise.resolve();
    return { reason: one.reason ?? 'yielded', position: 7, head: null, parkedDueAt: null };
  });
  ending.begin('idle');
  await expect(ending.ended).resolves.toMatchObject({ reason: 'fenced' });
});

test('an outcome that cannot be stored ends the drain with that error, and the drain leaves all the same', async () => {
  const { ending, counts } = openEnding(() => Promise.reject(new Error('not stored')));
  ending.begin('idle');
  await expect(ending.ended).rejects.toThrow('not stored');
  expect(counts.left).toBe(1);

  const broken = openEnding();
  broken.ending.fail(new Error('broken'));
  broken.ending.begin('idle');
  await expect(broken.ending.ended).rejects.toThrow('broken');
  expect(broken.counts).toMatchObject({ concluded: 0, left: 1 });
});

import { expect, test } from 'vitest';

import { createTraceSampler } from '../../src/egress/traceSampler.ts';

test('a process traces ten successes at once, and then one a second', () => {
  let now = 5_000;
  const sampler = createTraceSampler(() => now);
  const takes = (senders: number): number =>
    Array.from({ length: senders }, () => sampler.ofSender()()).filter(Boolean).length;
  expect(takes(50)).toBe(10);
  now += 999;
  expect(takes(50)).toBe(0);
  now += 1;
  expect(takes(50)).toBe(1);
  now += 3_600_000;
  expect(takes(50)).toBe(10);
});

test('a sender traces one success a minute', () => {
  let now = 0;
  const takes = createTraceSampler(() => now).ofSender();
  expect(takes()).toBe(true);
  expect(takes()).toBe(false);
  now += 59_999;
  expect(takes()).toBe(false);
  now += 1;
  expect(takes()).toBe(true);
});

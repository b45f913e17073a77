import fc from 'fast-check';
import { expect, test } from 'vitest';

import { createBudget } from '../../src/flow/budget.ts';
import { sendMemoryFor } from '../../src/process/heap.ts';

const MB = 2 ** 20;
const KB = 2 ** 10;

test.each([
  { taken: 0, held: 0, room: 6 * MB, why: 'an eighth of what is shared out' },
  { taken: 2 * MB, held: 2 * MB, room: 4 * MB, why: 'what a drain holds counts towards its part' },
  { taken: 24 * MB, held: 0, room: 3 * MB, why: 'an eighth of what the others leave' },
  { taken: 24 * MB, held: 4 * MB, room: 0, why: 'more than that part is held already' },
  { taken: 48 * MB, held: 0, room: 16 * KB, why: 'a little for a drain that holds nothing' },
  { taken: 48 * MB, held: 1, room: 0, why: 'nothing for a drain that holds something' },
  { taken: 64 * MB, held: 0, room: 0, why: 'all is taken' },
])('when $taken of 64 MB are taken, a drain that holds $held may take $room: $why', (one) => {
  const { bytes } = createBudget({ requests: 1, bytes: 64 * MB });
  bytes.take(one.taken);
  expect(bytes.room(one.held)).toBeCloseTo(one.room, 0);
});

test('however many drains take all they may, the budget is not exceeded, and each new drain gets something until all is taken', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(40), { minLength: 1, maxLength: 400 }), (turns) => {
      const { requests } = createBudget({ requests: 100, bytes: 1 });
      const held = new Map<number, number>();
      for (const who of turns) {
        const before = held.get(who) ?? 0;
        const more = Math.floor(requests.room(before));
        if (before === 0 && requests.taken < 100) expect(more).toBeGreaterThanOrEqual(1);
        requests.take(more);
        held.set(who, before + more);
      }
      expect(requests.taken).toBeLessThanOrEqual(100);
      expect(requests.peak).toBe(requests.taken);
    }),
  );
});

test('a turn to read that is given back goes to the first caller in the queue that still has a use for it', () => {
  const { pages } = createBudget({ requests: 1, bytes: 1 });
  const woken: string[] = [];
  let begun = 0;
  while (pages.begin(() => undefined)) begun += 1;
  expect(pages.begin(() => woken.push('has ended meanwhile'))).toBe(false);
  const reads = (): void => void (pages.begin(reads) && woken.push('reads'));
  expect(pages.begin(reads)).toBe(false);
  expect(pages.begin(() => woken.push('too late'))).toBe(false);
  pages.end();
  expect(woken).toEqual(['has ended meanwhile', 'reads']);
  expect(begun).toBeGreaterThan(1);
});

test.each([
  { heap: 4_000 * MB, whole: 24_000 * MB, bytes: 256 * MB, why: 'more does not make it faster' },
  { heap: 512 * MB, whole: 24_000 * MB, bytes: 128 * MB, why: 'a quarter of the heap' },
  { heap: 4_000 * MB, whole: 512 * MB, bytes: 64 * MB, why: 'an eighth of the container' },
  { heap: 32 * MB, whole: 64 * MB, bytes: 16 * MB, why: 'less is of no use' },
])('a heap of $heap in a container of $whole leaves $bytes for sending: $why', (one) => {
  expect(sendMemoryFor(one)).toBe(one.bytes);
});

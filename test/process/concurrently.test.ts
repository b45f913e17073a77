import fc from 'fast-check';
import { expect, test } from 'vitest';

import { concurrently } from '../../src/process/concurrently.ts';

test('each item is processed once, in order, and never more of them at a time than the limit', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 40 }), // how long each takes, in turns
      fc.integer({ min: 1, max: 50 }),
      async (turns, limit) => {
        const started: number[] = [];
        let underWay = 0;
        let most = 0;
        let done = 0;
        await concurrently([...turns.keys()], limit, async (index) => {
          started.push(index);
          most = Math.max(most, (underWay += 1));
          for (let n = 0; n < turns[index]!; n += 1) await Promise.resolve();
          underWay -= 1;
          done += 1;
        });
        expect(started).toEqual([...turns.keys()]);
        expect(done).toBe(turns.length);
        expect(most).toBe(Math.min(limit, turns.length));
      },
    ),
  );
});

test('an item that fails is reported, and the others are processed all the same', async () => {
  const failed = new Error('b');
  const done: string[] = [];
  const all = concurrently(['a', 'b', 'c', 'd'], 2, async (item) => {
    await Promise.resolve();
    if (item === 'b') throw failed;
    done.push(item);
  });
  await expect(all).rejects.toBe(failed);
  await new Promise(setImmediate);
  expect(done).toEqual(['a', 'c', 'd']);
});

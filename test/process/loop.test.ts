import { expect, test } from 'vitest';

import { createLoop, type Loop } from '../../src/process/loop.ts';

interface Turns {
  loop: Loop;
  /** How many turns have begun. */
  readonly begun: number;
  failures: unknown[];
  /** Ends the turn under way, and lets the loop go on. */
  end(error?: Error): Promise<void>;
}

/** A loop whose turns end when the test says so. */
function aLoop(): Turns {
  const failures: unknown[] = [];
  let begun = 0;
  let turn = Promise.withResolvers<void>();
  const loop = createLoop({
    turn: () => {
      begun += 1;
      turn = Promise.withResolvers<void>();
      return turn.promise;
    },
    failed: (error) => failures.push(error),
  });
  return {
    loop,
    get begun() {
      return begun;
    },
    failures,
    end: async (error) => {
      if (error === undefined) turn.resolve();
      else turn.reject(error);
      await new Promise(setImmediate);
    },
  };
}

test('a turn begins when it is requested, and not otherwise', async () => {
  const turns = aLoop();
  expect(turns.begun).toBe(0);
  turns.loop.ask();
  expect(turns.begun).toBe(1);
  await turns.end();
  expect(turns.begun).toBe(1);
  turns.loop.ask();
  expect(turns.begun).toBe(2);
});

test('any number of requests during a turn lead to exactly one more turn after it', async () => {
  const turns = aLoop();
  for (let n = 0; n < 5; n += 1) turns.loop.ask();
  expect([turns.begun, turns.loop.isAsked]).toEqual([1, true]);
  await turns.end();
  expect([turns.begun, turns.loop.isAsked]).toEqual([2, false]);
  await turns.end();
  expect(turns.begun).toBe(2);
});

test('a request made at the moment when a turn ends is not lost', async () => {
  let begun = 0;
  const asked = Promise.withResolvers<void>();
  const loop = createLoop({
    turn: async () => {
      begun += 1;
      // At every point between the end of the turn and the rest of the loop.
      for (let n = 0; begun === 1 && n < 10; n += 1) {
        let later = Promise.resolve();
        for (let m = 0; m < n; m += 1) later = later.then(() => undefined);
        void later.then(() => loop.ask());
      }
      if (begun > 1) asked.resolve();
    },
    failed: () => undefined,
  });
  loop.ask();
  await asked.promise;
  await new Promise(setImmediate);
  expect(loop.isAsked).toBe(false);
});

test('a turn may request the next one', async () => {
  let left = 3;
  const loop = createLoop({
    turn: async () => {
      left -= 1;
      if (left > 0) loop.ask();
    },
    failed: () => undefined,
  });
  loop.ask();
  await new Promise(setImmediate);
  expect(left).toBe(0);
});

test('a turn that fails is reported and not repeated by itself, and a request that came meanwhile is not lost', async () => {
  const turns = aLoop();
  const [first, second] = [new Error('first'), new Error('second')];
  turns.loop.ask();
  turns.loop.ask();
  await turns.end(first);
  expect(turns.failures).toEqual([first]);
  expect(turns.begun).toBe(2);
  await turns.end(second);
  expect(turns.failures).toEqual([first, second]);
  expect(turns.begun).toBe(2);
  turns.loop.ask();
  expect(turns.begun).toBe(3);
});

test('closing waits for the turn in progress, and no other turn begins', async () => {
  const turns = aLoop();
  turns.loop.ask();
  turns.loop.ask();
  let closed = false;
  const closing = turns.loop.close().then(() => (closed = true));
  await new Promise(setImmediate);
  expect(closed).toBe(false);
  await turns.end();
  await closing;
  turns.loop.ask();
  expect(turns.begun).toBe(1);
});

test('a loop that never ran closes immediately', async () => {
  const { loop } = aLoop();
  await loop.close();
  loop.ask();
  expect(loop.isAsked).toBe(false);
});

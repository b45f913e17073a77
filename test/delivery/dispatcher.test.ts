import { expect, test } from 'vitest';

import { createBudget } from '../../src/flow/budget.ts';
import { createDispatcher, type DispatcherOptions } from '../../src/flow/dispatcher.ts';
import { createPace } from '../../src/flow/pace.ts';

interface Slot {
  position: number;
  name: string;
  parked: object | null;
  sent: boolean;
}

function slot(name: string, parked = false, position = 0): Slot {
  return { name, position, parked: parked ? {} : null, sent: false };
}

/** A dispatcher that writes down what it sends and how often it has pumped. */
function openDispatcher(options: Partial<DispatcherOptions<Slot>> = {}) {
  const sent: string[] = [];
  const counts = { pumped: 0 };
  const limit = { limit: 100 };
  const dispatcher = createDispatcher<Slot>({
    limit,
    pace: createPace(null),
    requests: createBudget({ requests: 10_000, bytes: 1 }).requests,
    mayStart: () => true,
    takesLast: () => false,
    skips: () => false,
    send: ({ name }) => void sent.push(name),
    pumped: () => {
      counts.pumped += 1;
    },
    ...options,
  });
  return { dispatcher, sent, counts, limit };
}

test('on request the slot that was pushed last goes first, and a parked one only if there is no other', () => {
  let last = true;
  const { dispatcher, sent, limit } = openDispatcher({ takesLast: () => last });
  limit.limit = 1;
  for (const name of ['a', 'b', 'c']) dispatcher.push(slot(name));
  dispatcher.putBack(slot('parked', true));
  dispatcher.pump();
  expect(sent).toEqual(['c']);
  last = false;
  limit.limit = 3;
  dispatcher.pump();
  expect(sent).toHaveLength(3);
  last = true;
  limit.limit = 9;
  dispatcher.pump();
  expect(sent.toSorted()).toEqual(['a', 'b', 'c', 'parked']);
  expect(dispatcher.empty).toBe(true);
});

test('requests start in the order of their entries, except that retries go first and parked entries take every other turn', () => {
  const { dispatcher, sent } = openDispatcher();
  for (const name of ['a', 'b', 'c']) dispatcher.push(slot(name));
  dispatcher.putBack(slot('again'));
  for (const name of ['parked 2', 'parked 1']) dispatcher.putBack(slot(name, true));
  dispatcher.pump();
  expect(sent).toEqual(['again', 'parked 1', 'a', 'parked 2', 'b', 'c']);
  expect(dispatcher.inFlight).toBe(6);
  expect(dispatcher.empty).toBe(true);
});

test('no more requests are in flight than the limit allows, and the next one starts once one has ended', () => {
  const { dispatcher, sent, limit } = openDispatcher();
  limit.limit = 2;
  for (const name of ['a', 'b', 'c']) dispatcher.push(slot(name));
  dispatcher.pump();
  expect(sent).toEqual(['a', 'b']);
  dispatcher.pump();
  expect(sent).toEqual(['a', 'b']);
  dispatcher.landed();
  dispatcher.passOn();
  dispatcher.pump();
  expect(sent).toEqual(['a', 'b', 'c']);
});

test('under a rate limit one request starts, and each of the others waits for its time', () => {
  const { dispatcher, sent } = openDispatcher({ pace: createPace(1) });
  for (const name of ['a', 'b']) dispatcher.push(slot(name));
  dispatcher.pump();
  expect(sent).toEqual(['a']);
});

test('nothing starts while the dispatcher rests, or while its caller forbids it', () => {
  let allowed = false;
  const { dispatcher, sent, counts } = openDispatcher({ mayStart: () => allowed });
  dispatcher.push(slot('a'));
  dispatcher.pump();
  expect(sent).toEqual([]);
  expect(counts.pumped).toBe(1); // a drain that is to end learns here that nothing is in flight
  allowed = true;
  dispatcher.rest(performance.now() + 60_000);
  dispatcher.pump();
  expect(sent).toEqual([]);
  dispatcher.rest(0);
  dispatcher.pump();
  expect(sent).toEqual(['a']);
});

test('a slot that is skipped takes no share of the budget, and the entry behind it goes out in the same pump', () => {
  const { requests } = createBudget({ requests: 1, bytes: 1 });
  const { dispatcher, sent } = openDispatcher({
    requests,
    skips: ({ name }) => {
      if (name !== 'closed') return false;
      dispatcher.push(slot('behind it'));
      dispatcher.pump(); // as settling does; it must not begin a second round
      return true;
    },
  });
  dispatcher.push(slot('closed'));
  dispatcher.pump();
  expect(sent).toEqual(['behind it']);
  expect(dispatcher.inFlight).toBe(1);
});

test('each dispatcher gets an eighth of the requests that the others leave, and one in any case', () => {
  const { requests } = createBudget({ requests: 128, bytes: 1 });
  const hungry = Array.from({ length: 50 }, () => openDispatcher({ requests }));
  for (const { dispatcher } of hungry) {
    for (let number = 0; number < 100; number += 1) dispatcher.push(slot(`${number}`));
    dispatcher.pump();
  }
  const counts = hungry.map(({ sent }) => sent.length);
  expect(counts.slice(0, 3)).toEqual([12, 10, 9]);
  expect(Math.min(...counts)).toBe(1);
  expect(requests.taken).toBeLessThanOrEqual(128);
});

test('a dispatcher that finds the budget used up keeps its turn, and is woken when another one passes its share on', () => {
  const { requests } = createBudget({ requests: 1, bytes: 1 });
  const one = openDispatcher({ requests });
  const other = openDispatcher({ requests });
  one.dispatcher.push(slot('one'));
  one.dispatcher.pump();
  for (const name of ['first', 'second']) other.dispatcher.push(slot(name));
  other.dispatcher.pump();
  expect(other.sent).toEqual([]);
  one.dispatcher.landed();
  expect(other.sent).toEqual([]);
  one.dispatcher.passOn();
  expect(other.sent).toEqual(['first']);
  expect(other.dispatcher.empty).toBe(false);
});

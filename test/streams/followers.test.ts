import { expect, test } from 'vitest';

import { createFollowers } from '../../src/streams/followers.ts';

const read = (...syncs: string[]) =>
  syncs.map((syncId) => ({ syncId, collectionId: `of ${syncId}` }));

/** Followers that note their name when they are called. */
function someFollowers() {
  const followers = createFollowers();
  const called: string[] = [];
  return {
    followers,
    add: (name: string, syncs: string[] | null, collections: string[] | null = null) =>
      followers.add(() => void called.push(name), syncs, collections),
    /** Who was called since this was asked last. */
    called: () => called.splice(0).toSorted(),
  };
}

test.each([
  { name: 'no entry: only followers of all syncs', entries: [], told: ['any'] },
  { name: 'one of its syncs', entries: ['a'], told: ['a', 'any', 'both'] },
  {
    name: 'several entries: each follower once',
    entries: ['a', 'b', 'a'],
    told: ['a', 'any', 'both'],
  },
  { name: 'another sync', entries: ['c'], told: ['any'] },
])('the followers that are called for $name', ({ entries, told }) => {
  const { followers, add, called } = someFollowers();
  add('a', ['a']);
  add('both', ['a', 'b']);
  add('any', null);
  followers.tell(read(...entries), 0);
  expect(called()).toEqual(told);
});

test('a follower of more than 100 syncs is called for every sync', () => {
  const { followers, add, called } = someFollowers();
  const syncs = Array.from({ length: 101 }, (_, index) => `s${index}`);
  add('101', syncs);
  add('100', syncs.slice(1));
  followers.tell(read('another'), 0);
  expect(called()).toEqual(['101']);
  followers.tell(read('s7'), 0);
  expect(called()).toEqual(['100', '101']);
});

test('a follower of any sync is called for its collections alone, and one of syncs whatever its collections', () => {
  const { followers, add, called } = someFollowers();
  const leave = add('collection', null, ['of a', 'of b']);
  add('sync', ['a'], ['of another']);
  const many = Array.from({ length: 101 }, (_, index) => `s${index}`);
  add('many syncs', many, ['of b']);
  expect(followers.callable).toBe(true);
  followers.tell(read('c'), 0);
  expect(called()).toEqual([]);
  followers.tell(read('a', 'b', 'a'), 0);
  expect(called()).toEqual(['collection', 'many syncs', 'sync']);
  leave();
  followers.tell(read('b'), 0);
  expect(called()).toEqual(['many syncs']);
});

test('a follower that has left is not called any more, and the others are', () => {
  const { followers, add, called } = someFollowers();
  const leave = [add('a', ['a']), add('b', ['a', 'b']), add('any', null)];
  leave[0]!();
  expect(followers.size).toBe(2);
  followers.tell(read('a', 'b'), 0);
  expect(called()).toEqual(['any', 'b']);
  leave[1]!();
  leave[2]!();
  leave[2]!();
  expect(followers.size).toBe(0);
  followers.tell(read('a', 'b'), 0);
  followers.tellAll();
  expect(called()).toEqual([]);
});

test('a follower may join again before it leaves: ending the old membership does not end the new one', () => {
  const followers = createFollowers();
  let calls = 0;
  const call = () => void (calls += 1);
  const leave = followers.add(call, ['a']);
  followers.add(call, ['b']);
  leave();
  followers.tell(read('a', 'b'), 0);
  expect(calls).toBe(1);
});

test('all followers are called for an event that concerns all, and none once they are cleared', () => {
  const { followers, add, called } = someFollowers();
  add('a', ['a']);
  add('any', null);
  followers.tellAll();
  expect(called()).toEqual(['a', 'any']);
  followers.clear();
  followers.tellAll();
  followers.tell(read('a'), 0);
  expect([followers.size, ...called()]).toEqual([0]);
});

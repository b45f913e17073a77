import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { Entry } from '../../src/streams/entry.ts';
import { createRecentEntries, type RecentEntries } from '../../src/streams/recentEntries.ts';

const BOUNDS = { maxEntries: 8, maxBytes: 1_000, supersedes: false };

function entry(position: number, fields: Partial<Entry> = {}): Entry {
  return {
    position,
    messageId: `m${position}`,
    syncId: 'sync',
    collectionId: 'shop:orders',
    upstreamId: `r${position}`,
    event: null,
    at: '2026-01-01T00:00:00Z',
    body: '{}',
    bytes: 10,
    superseded: false,
    traceparent: null,
    ...fields,
  };
}

/** Positions of what is there after `after`; null where memory does not go back that far. */
function after(recent: RecentEntries, position: number, limit = 100): number[] | null {
  const since = recent.since(position, limit);
  if (since === null) return null;
  return since.entries.slice(since.from, since.to).map((one) => one.position);
}

function filled(positions: number[], scannedTo: number, options = BOUNDS): RecentEntries {
  const recent = createRecentEntries(options);
  recent.start(0);
  recent.add(
    positions.map((position) => entry(position)),
    scannedTo,
  );
  return recent;
}

test('before it has started and after it was cleared, the memory has no entries, and not even an end', () => {
  const recent = createRecentEntries(BOUNDS);
  expect([recent.end, recent.since(0, 10)]).toEqual([null, null]);
  recent.start(5);
  recent.add([entry(6)], 6);
  recent.clear();
  expect([recent.end, recent.since(6, 10)]).toEqual([null, null]);
  recent.start(9);
  expect(after(recent, 9)).toEqual([]);
});

test('it has all entries from where it started, and cannot answer for those before', () => {
  const recent = createRecentEntries(BOUNDS);
  recent.start(5);
  recent.add([entry(7), entry(9)], 12);
  expect(recent.end).toBe(12);
  expect(after(recent, 4)).toBeNull();
  expect(after(recent, 5)).toEqual([7, 9]);
});

test.each([
  { name: 'all', position: 0, limit: 10, found: [2, 4, 6], scannedTo: 9 },
  { name: 'from between two', position: 3, limit: 10, found: [4, 6], scannedTo: 9 },
  { name: 'from one of them', position: 4, limit: 10, found: [6], scannedTo: 9 },
  { name: 'no more than the limit', position: 0, limit: 2, found: [2, 4], scannedTo: 4 },
  { name: 'exactly the rest', position: 2, limit: 2, found: [4, 6], scannedTo: 9 },
  { name: 'nothing with a limit of 0', position: 4, limit: 0, found: [], scannedTo: 4 },
  { name: 'after the last', position: 6, limit: 10, found: [], scannedTo: 9 },
  { name: 'at the end', position: 9, limit: 10, found: [], scannedTo: 9 },
  { name: 'beyond the end', position: 11, limit: 10, found: [], scannedTo: 11 },
])('since: $name', ({ position, limit, found, scannedTo }) => {
  const recent = filled([2, 4, 6], 9);
  expect(after(recent, position, limit)).toEqual(found);
  expect(recent.since(position, limit)?.scannedTo).toBe(scannedTo);
});

test('the end also moves when no entry was found up to there, and never moves back', () => {
  const recent = filled([1], 5);
  recent.add([], 9);
  recent.add([], 7);
  expect(recent.end).toBe(9);
});

test('the oldest entries are dropped only when there are a quarter too many, and then down to the bound', () => {
  const recent = filled([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 10);
  expect(after(recent, 0)).toHaveLength(10);
  recent.add([entry(11)], 11);
  expect(after(recent, 2)).toBeNull();
  expect(after(recent, 3)).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
});

test('large entries count by their size in bytes', () => {
  const recent = createRecentEntries(BOUNDS);
  recent.start(0);
  recent.add([entry(1, { bytes: 600 }), entry(2, { bytes: 600 })], 2); // less than a quarter too much
  expect(after(recent, 0)).toEqual([1, 2]);
  recent.add([entry(3, { bytes: 100 })], 3);
  expect(after(recent, 0)).toBeNull();
  expect(after(recent, 1)).toEqual([2, 3]);
  recent.add([entry(4, { bytes: 5_000 })], 4);
  expect(after(recent, 3)).toBeNull(); // one that alone is too large is not kept either
  expect(after(recent, 4)).toEqual([]);
});

test('on the records stream a version supersedes the older one of its record, and of no other record', () => {
  const recent = createRecentEntries({ ...BOUNDS, supersedes: true });
  recent.start(0);
  const [old, other, elsewhere] = [
    entry(1, { upstreamId: 'r' }),
    entry(2, { upstreamId: 's' }),
    entry(3, { upstreamId: 'r', collectionId: 'shop:customers' }),
  ];
  recent.add([old, other, elsewhere], 3);
  expect([old.superseded, other.superseded, elsewhere.superseded]).toEqual([false, false, false]);
  const next = entry(4, { upstreamId: 'r' });
  recent.add([next], 4);
  expect([old.superseded, other.superseded, elsewhere.superseded]).toEqual([true, false, false]);
  expect(next.superseded).toBe(false);
});

test('on the events stream no entry supersedes another', () => {
  const old = entry(1, { upstreamId: 'r', event: 'created' });
  const recent = createRecentEntries(BOUNDS);
  recent.start(0);
  recent.add([old, entry(2, { upstreamId: 'r', event: 'updated' })], 2);
  expect(old.superseded).toBe(false);
});

test('the memory is complete after every addition: it has all entries from a position to the end, and of each record the newest version', () => {
  const read = fc.array(
    fc.record({ gap: fc.integer({ min: 1, max: 3 }), record: fc.integer({ min: 0, max: 5 }) }),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(fc.array(read, { maxLength: 20 }), (readings) => {
      const recent = createRecentEntries({ ...BOUNDS, supersedes: true });
      recent.start(0);
      const every: Entry[] = [];
      let position = 0;
      for (const reading of readings) {
        const entries = reading.map(({ gap, record }) =>
          entry((position += gap), { upstreamId: `r${record}` }),
        );
        every.push(...entries);
        recent.add(entries, position);
        expect(recent.end).toBe(position);
        expect(after(recent, position)).toEqual([]);
        for (let from = 0; from <= position; from += 1) {
          const rest = every.map((one) => one.position).filter((one) => one > from);
          const found = after(recent, from);
          if (rest.length <= BOUNDS.maxEntries) expect(found).toEqual(rest);
          else if (found !== null) expect(found).toEqual(rest);
        }
      }
      for (const [index, one] of every.entries()) {
        const isNewest = every
          .slice(index + 1)
          .every(({ upstreamId }) => upstreamId !== one.upstreamId);
        if (isNewest) expect(one.superseded).toBe(false);
        else if (after(recent, one.position - 1) !== null) expect(one.superseded).toBe(true);
      }
    }),
  );
});

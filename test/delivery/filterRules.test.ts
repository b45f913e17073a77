import fc from 'fast-check';
import { expect, test } from 'vitest';

import { createFilterStack } from '../../src/delivery/filterStack.ts';
import {
  applyDelta,
  compile,
  matchesNothing,
  sameFilter,
  type Matchable,
} from '../../src/rules/filter.ts';
import { inForce, type FilterVersion } from '../../src/rules/filterVersions.ts';
import type { Filter, FilterDelta } from '../../src/schema/consumer.ts';
import type { StreamName } from '../../src/schema/stream.ts';
import { createWakeIndex, type WatchedConsumer } from '../../src/wake/wakeIndex.ts';

const LISTS = ['syncs', 'collections', 'event_types'] as const;
type List = (typeof LISTS)[number];
const VALUES: Record<List, string[]> = {
  syncs: ['s1', 's2', 's3', 's4'],
  collections: ['a:x', 'a:y', 'b:x', 'b:y'],
  event_types: ['created', 'updated', 'deleted'],
};
const KEYS = { syncs: 'syncId', collections: 'collectionId', event_types: 'event' } as const;

function listOf(list: List): fc.Arbitrary<string[]> {
  return fc.oneof(fc.constant<string[]>(['*']), fc.subarray(VALUES[list]));
}

const filter = fc.record({
  syncs: listOf('syncs'),
  collections: listOf('collections'),
  event_types: listOf('event_types'),
}) as fc.Arbitrary<Filter>;
const entry: fc.Arbitrary<Matchable> = fc.record({
  syncId: fc.constantFrom(...VALUES.syncs, 'unheard of'),
  collectionId: fc.constantFrom(...VALUES.collections, 'un:heard'),
  event: fc.constantFrom(...VALUES.event_types, null),
});
const stream = fc.constantFrom<StreamName>('events', 'records');

/** By the words of the contract: each of the three values is in its list. */
function passes(by: Filter, one: Matchable): boolean {
  return LISTS.every((list) => {
    const value = one[KEYS[list]];
    return value === null || by[list].includes('*') || by[list].includes(value);
  });
}

test('an entry passes when its sync, its collection and its event type are each in the list for them', () => {
  fc.assert(
    fc.property(filter, entry, (by, one) => {
      expect(compile(by)(one)).toBe(passes(by, one));
      if (matchesNothing(by) && one.event !== null) expect(compile(by)(one)).toBe(false);
    }),
    { numRuns: 1_000 },
  );
});

function partOf(list: List): fc.Arbitrary<string[]> {
  const value = fc.constantFrom(...VALUES[list], 'new');
  return fc.oneof(
    { weight: 6, arbitrary: fc.array(value, { maxLength: 4 }) },
    { weight: 1, arbitrary: fc.constant<string[]>(['*']) },
  );
}

const side = fc.record(
  {
    syncs: partOf('syncs'),
    collections: partOf('collections'),
    event_types: partOf('event_types'),
  },
  { requiredKeys: [] },
);
const removed = side.map((lists) =>
  Object.fromEntries(
    Object.entries(lists).map(([list, values]) => [list, values.filter((one) => one !== '*')]),
  ),
);
const delta = fc.record({ add: side, remove: removed }) as fc.Arbitrary<FilterDelta>;

/** What the contract says a delta makes of one list: its values, or why not. */
function model(before: string[], add: string[], remove: string[]): Set<string> | 409 | 422 {
  if (add.some((value) => remove.includes(value))) return 422;
  if (before.includes('*') && remove.length > 0) return 409;
  if (before.includes('*') || add.includes('*')) return new Set(['*']);
  return new Set([...before, ...add].filter((value) => !remove.includes(value)));
}

test('an edit adds and removes as the contract says, or is refused and changes nothing', () => {
  fc.assert(
    fc.property(filter, delta, stream, (before, change, on) => {
      const kept = structuredClone(before);
      const edited = applyDelta(before, change, on);
      expect(before).toEqual(kept);
      const lists = LISTS.map((list): Set<string> | 409 | 422 => {
        const add: string[] = change.add[list] ?? [];
        const foreign =
          list === 'event_types' && on === 'records' && add.some((value) => value !== '*');
        const result = model(before[list], add, change.remove[list] ?? []);
        return foreign && typeof result !== 'number' ? 422 : result;
      });
      const refused = lists.find((one) => typeof one === 'number');
      if (refused !== undefined) {
        expect(edited).toMatchObject({ ok: false, status: refused });
        return;
      }
      if (!edited.ok) throw new Error(edited.detail);
      expect(LISTS.map((list) => new Set(edited.filter[list]))).toEqual(lists);
      for (const list of LISTS) {
        const values = edited.filter[list];
        expect(new Set(values).size).toBe(values.length);
        if (values.includes('*')) expect(values).toEqual(['*']);
      }
      // The same delta again has no further effect, unless it removes from everything.
      const again = applyDelta(edited.filter, change, on);
      if (again.ok) expect(sameFilter(again.filter, edited.filter)).toBe(true);
      else expect(again.status).toBe(409);
    }),
    { numRuns: 2_000 },
  );
});

test('two filters are equal exactly when each list holds the same values', () => {
  fc.assert(
    fc.property(filter, filter, (one, other) => {
      const same = LISTS.every(
        (list) => [...one[list]].sort().join() === [...other[list]].sort().join(),
      );
      expect(sameFilter(one, other)).toBe(same);
    }),
  );
});

test('a list does not grow beyond 10,000 values', () => {
  const many = Array.from({ length: 10_000 }, (_, index) => `s-${index}`);
  const before: Filter = { syncs: many, collections: ['*'], event_types: ['*'] };
  const add = (syncs: string[]) => applyDelta(before, { add: { syncs }, remove: {} }, 'events');
  expect(add(['s-1']).ok).toBe(true);
  expect(add(['one more'])).toMatchObject({ ok: false, status: 422 });
});

/** Versions as a consumer has them: ascending, from positions that never fall. */
const versions: fc.Arbitrary<FilterVersion[]> = fc
  .array(fc.tuple(fc.nat(12), filter), { minLength: 1, maxLength: 5 })
  .map((list) => {
    let filterFrom = -5;
    return list.map(([gap, one], index) => {
      filterFrom += gap;
      return { version: index + 1, filterFrom: Math.max(0, filterFrom), filter: one };
    });
  });
const positions = fc.array(entry, { maxLength: 60 });

/** The version that was in force for a position, and all that came after it. */
function mustPass(list: FilterVersion[], position: number): Filter[] {
  const first = list.findLastIndex((one) => (one.filterFrom ?? Infinity) < position);
  return list.slice(Math.max(0, first)).map((one) => one.filter);
}

test('an addition never reaches back and a removal closes: an entry has to pass every version from its own to the newest', () => {
  fc.assert(
    fc.property(versions, positions, fc.nat(60), (list, entries, from) => {
      const stack = createFilterStack(list, from);
      for (const [index, one] of entries.entries()) {
        const position = index + 1;
        const expected = mustPass(list, position).every((by) => passes(by, one));
        expect(stack.passes({ ...one, position, body: '' })).toBe(expected);
      }
      expect(stack.filterFrom).toBe(list.at(-1)?.filterFrom);
    }),
    { numRuns: 500 },
  );
});

test('pages that are read up to where the next version applies find every entry that passes, once', () => {
  fc.assert(
    fc.property(versions, positions, (list, entries) => {
      const stack = createFilterStack(list, 0);
      const end = entries.length;
      const found: number[] = [];
      for (let after = 0; after < end;) {
        const { filter: by, until } = stack.reading(after);
        expect(until ?? Infinity).toBeGreaterThan(after);
        const scannedTo = Math.min(until ?? end, end);
        for (let position = after + 1; position <= scannedTo; position += 1) {
          const one = entries[position - 1] as Matchable;
          // What SQL returns, then what the reader checks.
          if (passes(by, one) && stack.passes({ ...one, position, body: '' })) found.push(position);
        }
        after = scannedTo;
      }
      const expected = entries.flatMap((one, index) =>
        mustPass(list, index + 1).every((by) => passes(by, one)) ? [index + 1] : [],
      );
      expect(found).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

test('a version applies above the position that was read when a sender took it, and stays there', () => {
  fc.assert(
    fc.property(versions, filter, fc.nat(40), fc.nat(40), (list, added, readTo, later) => {
      const base = Math.max(readTo, list.at(-1)?.filterFrom ?? 0);
      const untaken = { version: list.length + 1, filterFrom: null, filter: added };
      const stack = createFilterStack(list, 0);
      stack.add([...list, untaken], base);
      stack.add([...list, untaken], base + later);
      expect(stack.filterFrom).toBe(base);
      const taken = [...list, { ...untaken, filterFrom: base }];
      for (const after of [0, base - 1, base, base + 1]) {
        const { filter: by, until } = stack.reading(after);
        const told = inForce(taken, after);
        expect({ by, until }).toEqual({ by: told.filter, until: told.until });
      }
    }),
  );
});

const watched: fc.Arbitrary<Omit<WatchedConsumer, 'consumerId'>> = fc.record({
  filterVersion: fc.integer({ min: 1, max: 9 }),
  filter,
  position: fc.nat(20),
});
const change = fc.tuple(
  fc.nat(9).map((id) => `consumer-${id}`),
  fc.option(watched),
);

test('the wake index finds exactly the consumers that checking each filter would find', () => {
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 40 }),
      fc.array(fc.tuple(entry, fc.nat(25)), { maxLength: 20 }),
      (changes, entries) => {
        const index = createWakeIndex();
        const all = new Map<string, WatchedConsumer>();
        for (const [consumerId, one] of changes) {
          if (one === null) {
            index.remove(consumerId);
            all.delete(consumerId);
          } else {
            index.add({ ...one, consumerId });
            all.set(consumerId, { ...one, consumerId });
          }
          expect(index.size).toBe(all.size);
        }
        for (const [one, position] of entries) {
          const found = index.match({ ...one, position });
          const expected = [...all.values()].filter(
            (each) => position > each.position && passes(each.filter, one),
          );
          expect(found.map((each) => each.consumerId).sort()).toEqual(
            expected.map((each) => each.consumerId).sort(),
          );
          for (const each of found) {
            expect(each.filterVersion).toBe(all.get(each.consumerId)?.filterVersion);
          }
        }
      },
    ),
    { numRuns: 500 },
  );
});

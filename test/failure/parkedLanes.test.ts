import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { isHandedOut, toParked, WAITS, type ParkedEntry } from '../../src/failure/parkedEntry.ts';
import { createParkedLanes } from '../../src/failure/parkedLanes.ts';
import type { ParkedRow } from '../../src/progress/parkedRows.ts';
import { parkedRow, refusal } from '../support/parkedRows.ts';

/** Entries of one record have the same `upstream_id`. */
function entry(position: number, more: Partial<ParkedRow> = {}): ParkedEntry {
  return toParked(parkedRow(position, more));
}

function openLanes(...entries: ParkedEntry[]) {
  const lanes = createParkedLanes({ letGo: () => undefined });
  for (const one of entries) lanes.insert(one);
  return lanes;
}

const positions = (entries: ParkedEntry[]): number[] => entries.map((one) => one.entry.position);

describe('entries of one record go out in order of position, one at a time', () => {
  test.each([[[1, 2, 3]], [[3, 2, 1]], [[2, 3, 1]], [[1, 3, 2]]])('inserted as %j', (inserted) => {
    const record = { upstream_id: 'u', last_failure: refusal };
    const lanes = openLanes(...inserted.map((position) => entry(position, record)));
    const order: number[] = [];
    for (let out = lanes.due(0); out.length > 0; out = lanes.due(0)) {
      order.push(...positions(out));
      expect(lanes.due(0)).toEqual([]);
      for (const one of out) lanes.remove(one, 'done');
    }
    expect(order).toEqual([1, 2, 3]);
    expect(lanes.size).toBe(0);
  });
});

test('when the last entry is removed before it was due, nothing is due any more', () => {
  const only = entry(1, { due_ms: 5_000 });
  const lanes = openLanes(only);
  expect(lanes.nextDue(0)).toBe(5_000);
  lanes.remove(only, 'done');
  expect(lanes.nextDue(9_000)).toBe(Infinity);
});

describe('no entry of a record is due while the first one is on its way', () => {
  test.each([
    { state: 'outgoing', next: 'given back' },
    { state: 'outgoing', next: 'removed' },
    { state: 'inFlight', next: 'given back' },
    { state: 'inFlight', next: 'removed' },
  ] as const)('$state, then $next', ({ state, next }) => {
    const [head, second] = [1, 2].map((position) => entry(position, { upstream_id: 'u' }));
    const lanes = openLanes(head!, second!, entry(3));
    expect(positions(lanes.due(0))).toEqual([1, 3]);
    head!.state = state;
    lanes.schedule(second!, 0);
    expect(lanes.due(1_000_000)).toEqual([]);
    expect(lanes.first()).toBeNull();
    if (next === 'removed') lanes.remove(head!, 'done');
    else {
      lanes.giveBack(head!);
      lanes.schedule(head!, 0);
    }
    expect(positions(lanes.due(0))).toEqual([next === 'removed' ? 2 : 1]);
  });
});

describe('when the first entry of a record is removed, its turn passes on', () => {
  test.each([
    ['an entry that waited for it is due', { due_ms: null, last_failure: refusal }, 0, true],
    ['an entry that was not tried yet is due', { due_ms: 9_000, last_failure: null }, 0, true],
    ['a failed entry keeps its time', { due_ms: 9_000, last_failure: refusal }, 9_000, false],
  ])('%s', (_case, more, due, changed) => {
    const [head, second] = [
      entry(1, { upstream_id: 'u' }),
      entry(2, { upstream_id: 'u', ...more }),
    ];
    const lanes = openLanes(head, second);
    lanes.due(0);
    expect(lanes.remove(head, 'dead')).toBe(changed ? second : null);
    expect(head.state).toBe('dead');
    expect([second.due, lanes.nextDue(0)]).toEqual([due, due]);
    expect(positions(lanes.due(due))).toEqual([2]);
  });

  test('to no other when it was the last: its record is free', () => {
    const only = entry(1);
    const lanes = openLanes(only);
    expect(lanes.has(only.record)).toBe(true);
    expect(lanes.remove(only, 'done')).toBeNull();
    expect([lanes.has(only.record), lanes.size, lanes.first()]).toEqual([false, 0, null]);
  });
});

test('an entry that waits for an earlier one is due when there is no earlier one', () => {
  const lanes = openLanes(entry(2, { due_ms: null }));
  expect(positions(lanes.due(0))).toEqual([2]);
  const behind = entry(4, { upstream_id: 'u', due_ms: null });
  const both = openLanes(entry(3, { upstream_id: 'u', due_ms: 500 }), behind);
  expect(behind.due).toBe(WAITS);
  expect(positions(both.due(500))).toEqual([3]);
});

test('an entry is not due before its row is stored, because its body is read from the row', () => {
  const fresh = { ...entry(1), stored: false };
  const lanes = openLanes(fresh);
  expect(lanes.due(0)).toEqual([]);
  fresh.stored = true;
  expect(lanes.due(0)).toEqual([fresh]);
});

test('at most 200 entries are on their way, and each one that comes back lets another go', () => {
  const lanes = openLanes(...Array.from({ length: 203 }, (_, index) => entry(index)));
  const out = lanes.due(0);
  expect(out).toHaveLength(200);
  expect(lanes.due(0)).toEqual([]);
  lanes.remove(out[0]!, 'done');
  lanes.giveBack(out[1]!);
  lanes.giveBack(out[1]!); // comes back once, whatever it is told
  lanes.schedule(out[1]!, 5_000);
  expect(positions(lanes.due(0))).toEqual([200, 201]);
  expect(lanes.due(0)).toEqual([]);
});

test('no more entries are on their way than the caller allows', () => {
  const lanes = openLanes(...Array.from({ length: 5 }, (_, index) => entry(index)));
  const [first] = lanes.due(0, 2);
  expect(lanes.due(0, 2)).toEqual([]);
  lanes.remove(first!, 'done');
  expect(positions(lanes.due(0, 2))).toEqual([2]);
  expect(positions(lanes.due(0, 4))).toEqual([3, 4]);
});

test('`first` is the lowest first entry of a record that is not on its way, due or not', () => {
  const lanes = openLanes(
    entry(5, { due_ms: 0 }),
    entry(3, { due_ms: 70_000, upstream_id: 'u' }),
    entry(4, { due_ms: 0, upstream_id: 'u' }),
  );
  const order = [lanes.first(), lanes.first(), lanes.first()];
  expect(order.map((one) => one?.entry.position)).toEqual([3, 5, undefined]);
});

describe('an entry is made due early only if a newer version supersedes it', () => {
  const version = { event: null, upstream_id: 'u', due_ms: 9_000, last_failure: refusal };
  const waiting = { ...version, due_ms: null };
  test.each([
    ['a version with a newer one behind it', [entry(1, version), entry(2, waiting)], false, 0],
    ['a version without a newer one', [entry(1, version)], false, 9_000],
    [
      'an event, which nothing supersedes',
      [entry(1, { ...version, event: 'updated' }), entry(2, { ...waiting, event: 'updated' })],
      false,
      9_000,
    ],
    ['a version that is on its way', [entry(1, version), entry(2, waiting)], true, 9_000],
  ] as const)('%s', (_case, entries, onItsWay, due) => {
    const lanes = openLanes(...entries);
    if (onItsWay) lanes.due(9_000);
    lanes.hurry(entries[0].record);
    expect(entries[0].due).toBe(due);
  });
});

test('an entry is found by its record and position, and selected by its properties', () => {
  const [one, two] = [entry(1, { upstream_id: 'u' }), entry(2, { upstream_id: 'u' })];
  const other = entry(3);
  const lanes = openLanes(one, two, other);
  expect(lanes.find(two.record, 2)).toBe(two);
  expect(lanes.find(two.record, 3)).toBeNull();
  expect(lanes.find(other.record, 2)).toBeNull();
  expect(lanes.select(({ entry: { position } }) => position !== 2)).toEqual([one, other]);
});

type Move =
  | { do: 'insert'; at: number; record: number; due: number | null; stored: boolean }
  | { do: 'due' }
  | { do: 'first' }
  | { do: 'store' }
  | { do: 'give back'; which: number; due: number }
  | { do: 'remove'; which: number }
  | { do: 'wait'; ms: number };

const aMove: fc.Arbitrary<Move> = fc.oneof(
  fc.record({
    do: fc.constant('insert'),
    at: fc.nat(9),
    record: fc.nat(4),
    due: fc.option(fc.nat(100)),
    stored: fc.boolean(),
  }),
  fc.constantFrom({ do: 'due' }, { do: 'due' }, { do: 'first' }, { do: 'store' }),
  fc.record({ do: fc.constant('give back'), which: fc.nat(9), due: fc.nat(100) }),
  fc.record({ do: fc.constant('remove'), which: fc.nat(9) }),
  fc.record({ do: fc.constant('wait'), ms: fc.nat(40) }),
);

test('whatever happens, the first entry of each record goes out when it is due, no later one goes before it, and none is missed', () => {
  fc.assert(
    fc.property(fc.array(aMove, { maxLength: 80, size: 'max' }), (moves) => {
      const lanes = createParkedLanes({ letGo: () => undefined });
      const all: ParkedEntry[] = []; // ascending by position
      let now = 0;
      const heads = (): ParkedEntry[] =>
        all.filter((one) => all.find((other) => other.record === one.record) === one);
      const waiting = (): ParkedEntry[] => heads().filter((head) => !isHandedOut(head));
      const least = (): number => Math.min(...waiting().map((head) => head.due));
      const nextWaiting = (): number => lanes.nextDue(Infinity); // whatever is on its way

      for (const [index, move] of moves.entries()) {
        if (move.do === 'insert') {
          const { at, record, due, stored } = move;
          const one = entry(at * 100 + index, { upstream_id: `u-${record}`, due_ms: due });
          one.stored = stored;
          lanes.insert(one);
          all.push(one);
          all.sort((a, b) => a.entry.position - b.entry.position);
        } else if (move.do === 'due') {
          const expected = waiting().filter((head) => head.due <= now && head.stored);
          const looks = nextWaiting() <= now;
          expect(positions(lanes.due(now)).sort((a, b) => a - b)).toEqual(positions(expected));
          if (looks) expect(nextWaiting()).toBe(least());
        } else if (move.do === 'first') {
          const [expected] = waiting();
          expect(lanes.first()).toBe(expected ?? null);
        } else if (move.do === 'store') {
          for (const one of all) one.stored = true;
        } else if (move.do === 'wait') {
          now += move.ms;
        } else {
          const out = all.filter(isHandedOut);
          const one = out[move.which % out.length];
          if (one === undefined) continue;
          if (move.do === 'remove') {
            lanes.remove(one, 'done');
            all.splice(all.indexOf(one), 1);
          } else {
            lanes.giveBack(one);
            lanes.schedule(one, now + move.due);
          }
        }
        expect(lanes.size).toBe(all.length);
        expect(nextWaiting()).toBeLessThanOrEqual(least());
        if (all.some(isHandedOut)) expect(lanes.nextDue(now)).toBeLessThanOrEqual(now);
        for (const head of heads()) expect(head.due).not.toBe(WAITS);
      }
    }),
  );
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { createParkedBodies } from '../../src/failure/parkedBodies.ts';
import { isOver, toParked, type ParkedEntry } from '../../src/failure/parkedEntry.ts';
import { createParkedWrites } from '../../src/failure/parkedWrites.ts';
import type { ParkedOps } from '../../src/progress/parkedRows.ts';
import { parkedRow, refusal } from '../support/parkedRows.ts';

const DIED_AT = '2026-01-02T03:04:05.000Z';

function openWrites() {
  return createParkedWrites({ bodies: createParkedBodies(), nowMs: () => Date.parse(DIED_AT) });
}

function stored(position = 1): ParkedEntry {
  return toParked(parkedRow(position, { last_failure: refusal }));
}

/** As it is when it has just been parked: Postgres does not know it. */
function fresh(position = 1): ParkedEntry {
  const parked = stored(position);
  parked.entry.body = '{}';
  return { ...parked, stored: false, counts: true };
}

/** What a commit does to which positions. */
function doneBy(ops: ParkedOps | null): Record<string, number[]> | null {
  if (ops === null) return null;
  const { inserts, updates, deletes } = ops;
  const died = deletes.filter((one) => one.died_at !== null);
  const ended = deletes.filter((one) => one.died_at === null);
  const done = Object.entries({ inserts, updates, ended, died });
  return Object.fromEntries(
    done
      .filter(([, rows]) => rows.length > 0)
      .map(([name, rows]) => [name, rows.map(({ position }) => position)]),
  );
}

describe('the effect of a commit on the row of an entry', () => {
  test.each([
    ['a new entry that waits', fresh, 'waiting', [{ inserts: [1] }]],
    ['a new entry that was delivered or dropped', fresh, 'done', [{}]],
    [
      'a new entry that died: its end is stored after its row',
      fresh,
      'dead',
      [{ inserts: [1] }, { died: [1] }],
    ],
    ['a stored entry that waits', stored, 'waiting', [{ updates: [1] }]],
    ['a stored entry on its way', stored, 'outgoing', [{ updates: [1] }]],
    ['a stored entry in flight', stored, 'inFlight', [{ updates: [1] }]],
    ['a stored entry that was delivered or dropped', stored, 'done', [{ ended: [1] }]],
    ['a stored entry that died', stored, 'dead', [{ died: [1] }]],
  ] as const)('%s', (_case, create, state, commits) => {
    const writes = openWrites();
    writes.note({ ...create(), state });
    for (const [index, expected] of commits.entries()) {
      const ops = writes.toStore();
      expect(doneBy(ops)).toEqual(expected);
      expect(ops?.added).toBe(ops?.inserts.length);
      expect(writes.unwritten).toBe(index + 1 < commits.length);
      writes.committed();
    }
    expect(writes.toStore()).toBeNull();
  });
});

test('a dead letter says when and why it died and after how many attempts; an entry that was delivered does not', () => {
  const writes = openWrites();
  writes.note({ ...stored(1), state: 'dead', attempts: 17 });
  writes.note({ ...stored(2), state: 'done' });
  expect(writes.toStore()?.deletes).toMatchObject([
    { position: 1, attempts: 17, died_at: DIED_AT, last_failure: refusal },
    { position: 2, died_at: null, last_failure: null },
  ]);
});

test('a body is written once, and kept in memory only until then', () => {
  const writes = openWrites();
  const parked = fresh();
  writes.note(parked);
  expect(writes.toStore()?.inserts[0]?.body).toBe('{}');
  expect(parked.entry.body).toBe('{}');
  writes.committed();
  expect([parked.stored, parked.entry.body]).toEqual([true, '']);
  parked.entry.body = '{}'; // it is due
  writes.note(parked);
  expect(writes.toStore()?.updates[0]).toMatchObject({ body: '' });
  writes.committed();
  expect(parked.entry.body).toBe('{}');
});

describe('an entry that changes while a commit is in progress is written by the next one', () => {
  test.each([
    ['a new entry', fresh, 'waiting', { updates: [1] }],
    ['a new entry that is dropped', fresh, 'done', { ended: [1] }],
    ['a stored entry', stored, 'waiting', { updates: [1] }],
    ['a stored entry that dies', stored, 'dead', { died: [1] }],
  ] as const)('%s', (_case, create, state, expected) => {
    const writes = openWrites();
    const parked = create();
    writes.note(parked);
    writes.toStore();
    expect([writes.isNoted(parked), writes.unwritten]).toEqual([false, false]);
    parked.state = state;
    parked.attempts += 1;
    writes.note(parked);
    expect([writes.isNoted(parked), writes.unwritten]).toEqual([true, true]);
    writes.committed();
    expect([writes.isNoted(parked), writes.unwritten]).toEqual([true, true]);
    const ops = writes.toStore();
    expect(doneBy(ops)).toEqual(expected);
    expect([...ops!.updates, ...ops!.deletes][0]?.attempts).toBe(parked.attempts);
  });
});

describe('an entry counts as leaving from its end until the deletion of its row is committed', () => {
  test.each([
    ['a stored entry that was delivered', stored, 'done', 1],
    ['a stored entry that died', stored, 'dead', 1],
    ['a new entry that was dropped, though nothing is written of it', fresh, 'done', 1],
    ['a new entry that died: until the second commit', fresh, 'dead', 2],
  ] as const)('%s', (_case, create, state, commits) => {
    const writes = openWrites();
    const parked = create();
    writes.note(parked);
    expect(writes.isLeaving(1)).toBe(false);
    parked.state = state;
    writes.note(parked);
    for (let left = commits; left > 0; left -= 1) {
      expect(writes.isLeaving(1)).toBe(true);
      writes.toStore();
      expect(writes.isLeaving(1)).toBe(true);
      writes.committed();
    }
    expect(writes.isLeaving(1)).toBe(false);
  });

  test('an entry that ended while another commit was in progress', () => {
    const writes = openWrites();
    const parked = stored();
    writes.note(parked);
    writes.toStore();
    parked.state = 'done';
    writes.note(parked);
    writes.committed(); // of what it was before
    expect(writes.isLeaving(1)).toBe(true);
    writes.toStore();
    writes.committed();
    expect(writes.isLeaving(1)).toBe(false);
  });
});

type Move =
  | { do: 'park' }
  | { do: 'take' }
  | { do: 'confirm' }
  | { do: 'change' | 'done' | 'dead'; which: number };

const aMove: fc.Arbitrary<Move> = fc.oneof(
  fc.constantFrom({ do: 'park' }, { do: 'take' }, { do: 'confirm' }),
  fc.record({ do: fc.constantFrom('change', 'done', 'dead'), which: fc.nat(9) }),
);

test('in whatever order changes and commits follow each other, Postgres has all waiting and dead entries in the end', () => {
  fc.assert(
    fc.property(fc.array(aMove, { maxLength: 60, size: 'max' }), (moves) => {
      const writes = openWrites();
      const all: ParkedEntry[] = [];
      const postgres = { rows: new Map<number, number>(), dead: new Map<number, number>() };
      let underWay: { ops: ParkedOps | null } | null = null;

      function confirm(): void {
        if (underWay === null) return;
        if (underWay.ops !== null) store(underWay.ops, postgres);
        writes.committed();
        underWay = null;
        for (const { state, entry } of all) {
          if (state === 'waiting' || !postgres.rows.has(entry.position)) continue;
          expect(writes.isLeaving(entry.position)).toBe(true);
        }
      }

      for (const move of moves) {
        if (move.do === 'park') {
          const parked = fresh(all.length);
          all.push(parked);
          writes.note(parked);
        } else if (move.do === 'take') {
          underWay ??= { ops: writes.toStore() };
        } else if (move.do === 'confirm') {
          confirm();
        } else {
          const parked = all[move.which];
          if (parked === undefined || isOver(parked)) continue;
          if (move.do === 'change') parked.attempts += 1;
          else parked.state = move.do;
          writes.note(parked);
        }
      }
      confirm();
      for (let commits = 0; commits < 2; commits += 1) {
        underWay = { ops: writes.toStore() };
        confirm();
      }
      expect(writes.unwritten).toBe(false);
      expect(postgres.rows).toEqual(attemptsOf(all, 'waiting'));
      expect(postgres.dead).toEqual(attemptsOf(all, 'dead'));
      for (const index of all.keys()) expect(writes.isLeaving(index)).toBe(false);
    }),
  );
});

/** The tables as a commit leaves them; it may not speak of a row that is not there. */
function store(
  { inserts, updates, deletes }: ParkedOps,
  { rows, dead }: { rows: Map<number, number>; dead: Map<number, number> },
): void {
  for (const { position, attempts, body } of inserts) {
    expect([rows.has(position), body]).toEqual([false, '{}']);
    rows.set(position, attempts);
  }
  for (const { position, attempts } of updates) {
    expect(rows.has(position)).toBe(true);
    rows.set(position, attempts);
  }
  for (const { position, attempts, died_at } of deletes) {
    expect(rows.delete(position)).toBe(true);
    if (died_at !== null) dead.set(position, attempts);
  }
}

function attemptsOf(all: ParkedEntry[], state: 'waiting' | 'dead'): Map<number, number> {
  const those = all.filter((one) => one.state === state);
  return new Map(those.map(({ entry, attempts }) => [entry.position, attempts]));
}

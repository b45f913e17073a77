import fc from 'fast-check';
import { expect, test } from 'vitest';

import { createColumnTypes } from '../../src/sources/postgres/columnType.ts';
import type { LogGroup, LogItem, Place } from '../../src/sources/postgres/groupCutter.ts';
import { createLogGroups, type LogGroups } from '../../src/sources/postgres/logGroups.ts';
import type { Lsn } from '../../src/sources/postgres/lsn.ts';
import type { LogMessage } from '../../src/sources/postgres/pgoutput.ts';

interface Logged {
  message: LogMessage;
  lsn: Lsn;
  /** The end of the commit before which the server forgets this; null for what it sends each time. */
  until: Lsn;
}

const START: Place = { lsn: 0n, within: null };
const BYTES = 10;

function open(from: Place, more: { maxRows?: number; maxGroupBytes?: number } = {}): LogGroups {
  const types = createColumnTypes();
  const keyOf = (_: string, table: string): string[] | null => (table === 't' ? ['id'] : null);
  return createLogGroups({
    from,
    types,
    keyOf,
    maxRows: 1_000,
    maxGroupBytes: 1e9,
    prefix: 'ours',
    ...more,
  });
}

const columns = [{ name: 'id', typeId: 23, isKey: true }];
const relation = (id: number, table: string): LogMessage => ({
  kind: 'relation',
  relation: { id, schema: 'public', table, identity: 'default', columns },
});

type Row = 'row' | 'foreign' | 'mark' | 'truncate' | 'foreign truncate';
type Step = { kind: 'transaction'; rows: Row[] } | { kind: 'mark' };

/** The log of some steps; every place in it is 10 after the one before. */
function logOf(steps: Step[]): Logged[] {
  const log: Logged[] = [];
  let at = 100n;
  let id = 0;
  const next = (): Lsn => (at += 10n);
  const messageOf = (kind: Row, lsn: Lsn): LogMessage => {
    if (kind === 'mark') return mark(true, lsn);
    if (kind === 'truncate') return { kind, relationIds: [2, 1] };
    if (kind === 'foreign truncate') return { kind: 'truncate', relationIds: [2] };
    return { kind: 'insert', relationId: kind === 'row' ? 1 : 2, row: [String(id)] };
  };
  const mark = (isTransactional: boolean, lsn: Lsn): LogMessage => {
    const content = Buffer.from(`m${lsn}`);
    return { kind: 'message', isTransactional, lsn, prefix: 'ours', content };
  };
  for (const [nth, step] of steps.entries()) {
    if (step.kind === 'mark') {
      const lsn = next();
      log.push({ message: mark(false, lsn), lsn, until: lsn });
      continue;
    }
    const from = at;
    const commitLsn = at + 10n * BigInt(step.rows.length + 1);
    const endLsn = commitLsn + 5n;
    const xid = 700 + nth;
    const committedAt = BigInt(nth) * 1_000_000n;
    log.push({ message: { kind: 'begin', commitLsn, committedAt, xid }, lsn: from, until: endLsn });
    for (const kind of step.rows) {
      const lsn = next();
      id += 1;
      log.push({ message: messageOf(kind, lsn), lsn, until: endLsn });
    }
    next();
    log.push({
      message: { kind: 'commit', commitLsn, endLsn, committedAt },
      lsn: commitLsn,
      until: endLsn,
    });
  }
  return log;
}

function addAll(groups: LogGroups, log: Logged[]): void {
  groups.add(relation(1, 't'), 0n, BYTES);
  groups.add(relation(2, 'foreign'), 0n, BYTES);
  for (const { message, lsn } of log) groups.add(message, lsn, BYTES);
}

function takeAll(groups: LogGroups): LogGroup[] {
  const taken: LogGroup[] = [];
  for (let group = groups.take(); group !== null; group = groups.take()) taken.push(group);
  return taken;
}

/** What an item is, without what groups repeat. */
const namesOf = (items: LogItem[]): string[] =>
  items.flatMap((item) => {
    if (item.kind === 'mark') return [item.content];
    if (item.kind === 'transaction') return [];
    return item.change.kind === 'row' ? [item.change.upstreamId] : [`truncated at ${item.lsn}`];
  });

const rows = fc.array(
  fc.constantFrom<Row>('row', 'row', 'row', 'foreign', 'mark', 'truncate', 'foreign truncate'),
  {
    maxLength: 12,
  },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: rows.map((all) => ({ kind: 'transaction' as const, rows: all })) },
  { weight: 1, arbitrary: fc.constant({ kind: 'mark' as const }) },
);

test('however a log is cut and however often reading starts anew, each row comes once and in order', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 12 }),
      fc.record({
        maxRows: fc.integer({ min: 1, max: 6 }),
        maxGroupBytes: fc.constantFrom(15, 35, 1e9),
      }),
      fc.array(fc.tuple(fc.nat(60), fc.nat(4), fc.nat(1_000)), { maxLength: 6 }),
      (steps, limits, restarts) => {
        const log = logOf(steps);
        const stored: string[] = [];
        let place = START;
        const keep = (groups: LogGroups, most: number): void => {
          for (let left = most; left > 0; left--) {
            const group = groups.take();
            if (group === null) return;
            stored.push(...namesOf(group.items));
            expect(group.items.filter(({ kind }) => kind === 'change').length).toBeLessThanOrEqual(
              limits.maxRows,
            );
            expect(group.place.lsn >= place.lsn).toBe(true);
            place = group.place;
          }
        };
        for (const [length, takes, said] of restarts) {
          // The server has been told some place up to the stored one, and sends what it has not forgotten.
          const acknowledged = (place.lsn * BigInt(said)) / 1_000n;
          const sent = log.filter(({ until }) => until > acknowledged);
          const groups = open(place, limits);
          for (const part of [sent.slice(0, length), sent.slice(length, length * 2)]) {
            addAll(groups, part);
            keep(groups, takes);
          }
        }
        const groups = open(place, limits);
        addAll(
          groups,
          log.filter(({ until }) => until > place.lsn),
        );
        keep(groups, Infinity);
        const all = namesOf(takeAll(withAll(log)).flatMap(({ items }) => items));
        const rowsOf = (names: string[]): string[] => names.filter((name) => !name.startsWith('m'));
        expect(rowsOf(stored)).toEqual(rowsOf(all));
        // A mark between transactions may come again after a restart; none is left out.
        expect(new Set(stored)).toEqual(new Set(all));
        expect(groups.heldBytes()).toBe(0);
        expect(groups.isIdle()).toBe(true);
      },
    ),
    { numRuns: 1_000 },
  );
});

function withAll(log: Logged[]): LogGroups {
  const groups = open(START);
  addAll(groups, log);
  return groups;
}

test('small transactions that wait are one group, and an open one is no part of it', () => {
  const log = logOf([
    { kind: 'transaction', rows: ['row', 'row'] },
    { kind: 'transaction', rows: ['row'] },
    { kind: 'transaction', rows: ['row', 'row'] },
  ]);
  const groups = open(START);
  addAll(groups, log.slice(0, -2));
  expect(groups.take()).toEqual({
    items: [
      {
        kind: 'transaction',
        xid: 700,
        commitLsn: 130n,
        committedAt: '2000-01-01T00:00:00.000000Z',
      },
      expect.objectContaining({ kind: 'change', lsn: 110n }),
      expect.objectContaining({ kind: 'change', lsn: 120n }),
      {
        kind: 'transaction',
        xid: 701,
        commitLsn: 150n,
        committedAt: '2000-01-01T00:00:01.000000Z',
      },
      expect.objectContaining({ kind: 'change', lsn: 140n }),
    ],
    place: { lsn: 155n, within: null },
    bytes: 3 * BYTES,
  });
  expect(groups.take()).toBeNull();
  expect(groups.isIdle()).toBe(false);
  expect(groups.heldBytes()).toBe(BYTES);
});

test('a large transaction comes in parts, each of which says how far it goes', () => {
  const groups = open(START, { maxRows: 2 });
  addAll(
    groups,
    logOf([{ kind: 'transaction', rows: ['row', 'foreign', 'row', 'row', 'row', 'row'] }]),
  );
  const taken = takeAll(groups);
  expect(taken.map(({ place }) => place)).toEqual([
    { lsn: 0n, within: { commitLsn: 170n, rows: 3 } },
    { lsn: 0n, within: { commitLsn: 170n, rows: 5 } },
    { lsn: 175n, within: null },
  ]);
  expect(taken.map(({ items }) => items[0]?.kind)).toEqual([
    'transaction',
    'transaction',
    'transaction',
  ]);
});

test('a truncation is a group of its own, and what is before and after it in its transaction are others', () => {
  const groups = open(START);
  addAll(
    groups,
    logOf([
      { kind: 'transaction', rows: ['row'] },
      { kind: 'transaction', rows: ['row', 'foreign truncate', 'truncate', 'row'] },
    ]),
  );
  const taken = takeAll(groups);
  expect(taken.map(({ items }) => namesOf(items))).toEqual([
    ['1', '2'],
    ['truncated at 150'],
    ['5'],
  ]);
  expect(taken.map(({ place }) => place)).toEqual([
    { lsn: 125n, within: { commitLsn: 170n, rows: 2 } },
    { lsn: 125n, within: { commitLsn: 170n, rows: 3 } },
    { lsn: 175n, within: null },
  ]);
  expect(
    taken.map(({ items }) => items.filter(({ kind }) => kind === 'transaction').length),
  ).toEqual([2, 1, 1]);
});

test('rows before the columns of their table, or outside of a transaction, are an error', () => {
  const insert: LogMessage = { kind: 'insert', relationId: 1, row: ['1'] };
  const begin: LogMessage = { kind: 'begin', commitLsn: 9n, committedAt: 0n, xid: 1 };
  const unknown = open(START);
  unknown.add(begin, 1n, 1);
  expect(() => unknown.add(insert, 2n, 1)).toThrow('rows of table 1 before its columns');
  const outside = open(START);
  outside.add(relation(1, 't'), 1n, 1);
  expect(() => outside.add(insert, 2n, 1)).toThrow('rows outside of a transaction');
});

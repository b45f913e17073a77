import { describe, expect, test } from 'vitest';

import { firstChunkRows, nextChunkRows } from '../../src/sources/chunkSize.ts';
import { planGroup, type GroupPlan, type PlacedChunk } from '../../src/sources/groupPlan.ts';
import { chunkMark, createChunkWindow } from '../../src/sources/postgres/chunkWindow.ts';
import type { LogItem } from '../../src/sources/postgres/groupCutter.ts';
import type { Change, RowChange } from '../../src/sources/postgres/rowChange.ts';
import { parseSnapshot } from '../../src/sources/postgres/snapshotText.ts';
import { beginReading, type TableProgress } from '../../src/sources/postgres/tableProgress.ts';

const transaction: LogItem = {
  kind: 'transaction',
  xid: 7,
  commitLsn: 20n,
  committedAt: '2026-11-30T00:00:00.000001Z',
};
const row = (upstreamId: string, data: string | null = `{"id":"${upstreamId}"}`): RowChange => ({
  kind: 'row',
  collection: 'c',
  upstreamId,
  data,
  deleted: data === null,
  merge: false,
  movedFrom: null,
});
const item = (change: Change, lsn = 1n): LogItem => ({ kind: 'change', lsn, change });
const mark = (id: string, side: 'begin' | 'end', lsn = 5n): LogItem => ({
  kind: 'mark',
  lsn,
  content: chunkMark(id, side),
});
const reading = (pass: string | null = null): TableProgress =>
  beginReading({ key: ['id'], snapshot: 1, pass });

function chunk(fields: Partial<PlacedChunk> = {}): PlacedChunk {
  return {
    id: 'k',
    collection: 'c',
    rows: [row('read')],
    visibility: parseSnapshot('100:100:'),
    last: ['read'],
    from: { snapshot: 1, sweep: 1, after: null },
    ...fields,
  };
}

function plan(
  items: LogItem[],
  { progress = reading(), chunks = [] }: { progress?: TableProgress; chunks?: PlacedChunk[] } = {},
): GroupPlan {
  return planGroup(items, {
    syncId: 's',
    window: createChunkWindow(new Set()),
    tables: new Map([['c', progress]]),
    chunks: new Map(chunks.map((one) => [one.id, one])),
  });
}

const idsOf = ({ changes }: GroupPlan): string[] => changes.map(({ change }) => change.upstreamId);

describe('the plan of a group', () => {
  test('has the changes in the order of the log, with the time of their commit, and a chunk where it ends', () => {
    const made = plan(
      [mark('k', 'begin'), transaction, item(row('1')), mark('k', 'end'), item(row('1', null), 9n)],
      { chunks: [chunk({ rows: [row('1'), row('2')] })] },
    );
    expect(idsOf(made)).toEqual(['1', '2', '1']);
    expect(made.changes[0]).toEqual({
      lsn: 1n,
      change: {
        syncId: 's',
        collectionId: 'c',
        upstreamId: '1',
        data: '{"id":"1"}',
        merge: false,
        passId: undefined,
        deleted: false,
        upstreamCreatedAt: undefined,
        upstreamUpdatedAt: '2026-11-30T00:00:00.000001Z',
      },
    });
    expect(made.changes[1]?.change.upstreamUpdatedAt).toBeUndefined();
    expect(made.chunks.get('k')).toEqual({ kind: 'stored' });
    expect(made.progress.get('c')).toMatchObject({ after: ['read'], rows: 2 });
    expect(made.counts.get('c')).toBe(2);
  });

  test('has every row of a table with a pass come in that pass, those of the log as well', () => {
    const items = [transaction, item(row('1')), mark('k', 'begin'), mark('k', 'end')];
    const made = plan(items, { progress: reading('p'), chunks: [chunk()] });
    expect(made.changes.map(({ change }) => change.passId)).toEqual(['p', 'p']);
    const closing: TableProgress = { ...reading('p'), phase: 'closing' };
    expect(plan([item(row('1'))], { progress: closing }).changes[0]?.change.passId).toBe('p');
  });

  test('stores no rows of a chunk that does not begin where the stored ones end', () => {
    const items = [mark('k', 'begin'), mark('k', 'end')];
    for (const from of [
      { snapshot: 1, sweep: 1, after: ['other'] },
      { snapshot: 1, sweep: 2, after: null },
      { snapshot: 2, sweep: 1, after: null },
    ]) {
      const made = plan(items, { chunks: [chunk({ from })] });
      expect(made.chunks.get('k')).toEqual({ kind: 'void' });
      expect([made.changes, made.progress.size]).toEqual([[], 0]);
    }
    const done: TableProgress = { ...reading(), phase: 'done' };
    expect(plan(items, { progress: done, chunks: [chunk()] }).chunks.get('k')).toEqual({
      kind: 'void',
    });
  });

  test('has what is read ahead of a chunk that has to be read again be void', () => {
    const early = chunk({ id: 'a', visibility: parseSnapshot('7:8:7') });
    const ahead = chunk({ id: 'b', from: { snapshot: 1, sweep: 1, after: ['read'] } });
    const items = [
      transaction,
      item(row('1')),
      ...(['a', 'b'] as const).flatMap((id) => [mark(id, 'begin'), mark(id, 'end')]),
    ];
    const made = plan(items, { chunks: [early, ahead] });
    expect(made.chunks.get('a')).toEqual({ kind: 'again', waitsFor: [7] });
    expect(made.chunks.get('b')).toEqual({ kind: 'void' });
    expect(idsOf(made)).toEqual(['1']);
  });

  test('has collections to empty, and takes their tables out of their passes', () => {
    const made = plan([transaction, item({ kind: 'truncate', collection: 'c' }, 3n)], {
      progress: reading('p'),
    });
    expect(made.emptied).toEqual([{ collection: 'c', lsn: 3n }]);
    expect(made.progress.get('c')).toMatchObject({ phase: 'reading', pass: null });
  });

  test('has a problem for each row that can not be a record, and goes on with the others', () => {
    const deep = `{"a":${'['.repeat(600)}${']'.repeat(600)}}`;
    const made = plan([
      transaction,
      item(row('large', `{"a":"${'x'.repeat(1_048_576)}"}`), 11n),
      item(row('deep', deep), 12n),
      item({ kind: 'unreadable', collection: 'c', upstreamId: null, reason: 'why' }, 13n),
      item(row('good'), 14n),
    ]);
    expect(idsOf(made)).toEqual(['good']);
    expect(made.problems).toEqual([
      {
        collection: 'c',
        upstreamId: 'large',
        reason: 'The row is larger than 1048576 bytes',
        lsn: 11n,
      },
      {
        collection: 'c',
        upstreamId: 'deep',
        reason: 'The row is nested deeper than 500 levels',
        lsn: 12n,
      },
      { collection: 'c', upstreamId: null, reason: 'why', lsn: 13n },
    ]);
  });

  test('has no line end in a text that is JSON, which would end a line of what is sent', () => {
    const made = plan([item(row('1', '{"a":\n{"b":\r\n1},"c":"x\\ny"}'))]);
    expect(made.changes[0]?.change.data).toBe('{"a": {"b":  1},"c":"x\\ny"}');
  });
});

test.each([
  [{ rows: 0, characters: 0 }, 20],
  [{ rows: 200, characters: 20_000 }, 800],
  [{ rows: 5_000, characters: 500_000 }, 5_000],
  [{ rows: 200, characters: 200_000_000 }, 4],
  [{ rows: 10, characters: 1e9 }, 1],
])('after %j, %i rows are read', (read, rows) => {
  expect(nextChunkRows(read)).toBe(rows);
});

test.each([
  [null, 20],
  [100, 5_000],
  [4_194, 1_000],
  [1e9, 1],
])('of rows with %j bytes, %i are read first', (bytes, rows) => {
  expect(firstChunkRows(bytes)).toBe(rows);
});

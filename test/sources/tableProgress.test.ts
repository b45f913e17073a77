import { describe, expect, test } from 'vitest';

import type { RowChange } from '../../src/sources/postgres/rowChange.ts';
import {
  afterChange,
  afterChunk,
  afterClosing,
  afterTruncation,
  beginReading,
  formatProgress,
  parseProgress,
  type TableProgress,
} from '../../src/sources/postgres/tableProgress.ts';

const begun = (pass: string | null = null): TableProgress =>
  beginReading({ key: ['id'], snapshot: 3, pass });

function change(upstreamId: string, more: Partial<RowChange> = {}): RowChange {
  const kept = { data: '{}', deleted: false, merge: false, movedFrom: null };
  return { kind: 'row', collection: 'c', upstreamId, ...kept, ...more };
}

const moved = (from: string, to: string): RowChange => change(to, { merge: true, movedFrom: from });
const chunk = (last: string[] | null, ...ids: string[]) => ({ ids, rows: ids.length, last });
const changed = (progress: TableProgress, ...changes: RowChange[]): TableProgress =>
  changes.reduce(afterChange, progress);
const unsure = (progress: TableProgress): string[] => [...(progress.unsure ?? [])];

describe('reading a table', () => {
  test('goes on after the last row that is stored, and is done with the last chunk', () => {
    const first = afterChunk(begun(), chunk(['7'], '1', '7'));
    expect(first).toMatchObject({ phase: 'reading', sweep: 1, after: ['7'], rows: 2 });
    expect(afterChunk(first, chunk(null, '9'))).toMatchObject({
      phase: 'done',
      after: null,
      rows: 3,
    });
  });

  test('ends with deleting what has not come, where there is a pass', () => {
    const read = afterChunk(begun('p'), chunk(null));
    expect(read).toMatchObject({ phase: 'closing', pass: 'p' });
    expect(afterClosing(read)).toMatchObject({ phase: 'done', pass: null });
  });

  test('goes on without a pass after a truncation, which has deleted all that could be', () => {
    const emptied = afterTruncation(changed(begun('p'), moved('1', '2')));
    expect(emptied).toMatchObject({ phase: 'reading', pass: null });
    expect(unsure(emptied)).toEqual([]);
    expect(afterTruncation(afterChunk(begun('p'), chunk(null)))).toMatchObject({ phase: 'done' });
  });
});

describe('a record that may lack large values because it got its key before they were read', () => {
  test('has the table gone through once more, unless its row comes whole until then', () => {
    const lacking = changed(begun(), moved('9', '1'));
    expect(unsure(lacking)).toEqual(['1']);
    expect(afterChunk(lacking, chunk(null, '5'))).toMatchObject({
      phase: 'reading',
      sweep: 2,
      after: null,
    });
    expect(afterChunk(lacking, chunk(null, '1'))).toMatchObject({ phase: 'done' });
    for (const whole of [change('1'), change('1', { data: null, deleted: true })]) {
      expect(afterChunk(changed(lacking, whole), chunk(null))).toMatchObject({ phase: 'done' });
    }
    const partial = changed(lacking, change('1', { merge: true }));
    expect(afterChunk(partial, chunk(null))).toMatchObject({ phase: 'reading' });
  });

  test('is the only one that makes another such in later times through the table', () => {
    const second = afterChunk(changed(begun(), moved('9', '1')), chunk(null));
    expect(unsure(changed(second, moved('8', '2')))).toEqual(['1']);
    const gone = change('1', { data: null, deleted: true });
    expect(unsure(changed(second, gone, moved('1', '0')))).toEqual([]);
    expect(unsure(changed(second, moved('1', '0'), gone))).toEqual(['0']);
    expect(afterChunk(second, chunk(null, '1'))).toMatchObject({ phase: 'done' });
  });

  test('is one of too many to list: then every such record counts the next time as well', () => {
    const many = Array.from({ length: 600 }, (_, nth) => moved(`a${nth}`, `b${nth}`));
    const lost = changed(begun(), ...many);
    expect(lost.unsure).toBeNull();
    const second = afterChunk(lost, chunk(null));
    expect(second).toMatchObject({ phase: 'reading', sweep: 2, isSure: false });
    expect(unsure(changed(second, moved('8', '2')))).toEqual(['2']);
    expect(afterChunk(second, chunk(null))).toMatchObject({ phase: 'done' });
    const long = changed(begun(), moved('a', 'x'.repeat(99_990)), moved('b', 'y'.repeat(20)));
    expect(long.unsure).toBeNull();
  });

  test('does not count once the table is read', () => {
    const done = afterChunk(begun(), chunk(null));
    expect(changed(done, moved('9', '1'))).toBe(done);
  });
});

test('progress is read as it was stored', () => {
  for (const progress of [
    begun('p'),
    changed(begun(), moved('9', '1')),
    { ...begun(), unsure: null, after: ['1', 'ü"'] },
  ]) {
    expect(parseProgress(formatProgress(progress))).toEqual(progress);
  }
  expect(parseProgress('')).toBeNull();
});

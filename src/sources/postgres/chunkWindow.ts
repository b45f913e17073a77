import { mergeJson } from '../../streams/mergeJson.ts';
import type { LogItem } from './groupCutter.ts';
import type { Change } from './rowChange.ts';
import { isVisible, type Visibility } from './snapshotText.ts';

/** Rows of a table, read between two marks in the log. */
export interface Chunk {
  id: string;
  rows: Change[];
  /** What its reader saw. */
  visibility: Visibility;
}

/** What a chunk comes to where its end is in the log. */
export type Settled =
  /** Rows as they are after what the log has had up to here. */
  | { kind: 'rows'; rows: Change[] }
  /**
   * It has to be read again once these transactions are over: they may be in the log before the chunk, and their changes
   * are not in it.
   */
  | { kind: 'again'; waitsFor: number[] };

/** Decides which rows of a chunk may be stored. */
export interface ChunkWindow {
  /** Sees the next item of the log; returns the id of the chunk whose end it is, or null. */
  see(item: LogItem): string | null;
  /** Settles the chunk whose end was seen last. */
  settle(chunk: Chunk): Settled;
}

/** The text of the mark before, or after, a chunk is read. */
export function chunkMark(id: string, side: 'begin' | 'end'): string {
  return JSON.stringify({ chunk: id, side });
}

/** The id of the chunk whose end a mark is; null for any other mark. */
export function endOfChunk(content: string): string | null {
  const mark = readMark(content);
  return mark?.side === 'end' ? mark.chunk : null;
}

/**
 * Opens at any place of the log. `underWay` are the transactions that had not ended some time after it was opened.
 *
 * A chunk is read between its two marks. What the log shows between them may be newer than the chunk, so that these rows
 * are left out: the log has them. An update may come without large values that it did not touch; these have been the same
 * all the time, so that the chunk's row is used, with the fields of the log put over its own. A row that got its key
 * between the marks is left out, although the log may not have its large values. What the log showed before them is in
 * the chunk, with one exception: a commit is in the log before it is seen by others, and stays so for as long as a
 * synchronous standby does not answer. A chunk that does not see such a transaction would bring old rows back.
 */
export function createChunkWindow(underWay: ReadonlySet<number>): ChunkWindow {
  /** Transactions of the log before the current chunk, as far as no chunk has seen them. */
  let unseen = new Set<number>();
  /** Those that came after its beginning. */
  let later = new Set<number>();
  /** Those that may be in the log before this window was opened. */
  let earlier = new Set(underWay);
  let open: string | null = null;
  /** By collection and id: the fields that the log has shown of a row; null: all that there is to know. */
  let touched = new Map<string, Map<string, string | null>>();
  const emptied = new Set<string>();

  function see(item: LogItem): string | null {
    if (item.kind === 'transaction') {
      earlier.delete(item.xid);
      later.add(item.xid);
      return null;
    }
    if (item.kind === 'change') {
      if (open !== null) touch(item.change);
      return null;
    }
    const mark = readMark(item.content);
    if (mark === null) return null;
    if (mark.side === 'begin') {
      open = mark.chunk;
      touched = new Map();
      emptied.clear();
      unseen = unseen.union(later);
      later = new Set();
      return null;
    }
    if (mark.chunk !== open) return null; // its beginning was seen by another process
    open = null;
    return mark.chunk;
  }

  function touch(change: Change): void {
    if (change.kind === 'truncate') {
      emptied.add(change.collection);
      return;
    }
    if (change.upstreamId === null) return;
    const ids = touched.get(change.collection) ?? new Map<string, string | null>();
    touched.set(change.collection, ids);
    ids.set(change.upstreamId, fieldsShown(ids.get(change.upstreamId), change));
  }

  function settle({ rows, visibility }: Chunk): Settled {
    const sees = (xid: number): boolean => isVisible(visibility, xid);
    unseen = new Set([...unseen].filter((xid) => !sees(xid)));
    earlier = new Set([...earlier].filter((xid) => !sees(xid)));
    const waitsFor = [...unseen, ...earlier];
    if (waitsFor.length > 0) return { kind: 'again', waitsFor };
    return { kind: 'rows', rows: rows.flatMap(asOfNow) };
  }

  function asOfNow(row: Change): Change[] {
    if (emptied.has(row.collection)) return [];
    if (row.kind === 'truncate' || row.upstreamId === null) return [row];
    const shown = touched.get(row.collection)?.get(row.upstreamId);
    if (shown === undefined) return [row];
    if (shown === null || row.kind !== 'row' || row.data === null) return [];
    return [{ ...row, data: mergeJson(row.data, shown) }];
  }

  return { see, settle };
}

/** What the log has shown of a row after one more change of it. */
function fieldsShown(
  before: string | null | undefined,
  change: Exclude<Change, { kind: 'truncate' }>,
): string | null {
  if (before === null || change.kind !== 'row' || !change.merge || change.movedFrom !== null) {
    return null;
  }
  return before === undefined || change.data === null
    ? change.data
    : mergeJson(before, change.data);
}

function readMark(content: string): { chunk: string; side: 'begin' | 'end' } | null {
  const [, chunk, side] = /^\{"chunk":"([^"\\]+)","side":"(begin|end)"\}$/u.exec(content) ?? [];
  if (chunk === undefined) return null;
  return { chunk, side: side === 'begin' ? 'begin' : 'end' };
}

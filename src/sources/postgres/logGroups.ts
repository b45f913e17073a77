import type { ColumnTypes } from './columnType.ts';
import { createGroupCutter, type GroupLimits, type LogGroup, type Place } from './groupCutter.ts';
import type { Lsn } from './lsn.ts';
import type { LogMessage } from './pgoutput.ts';
import { postgresTime } from './postgresTime.ts';
import { rowChanges, type Change } from './rowChange.ts';
import { tableShape, type TableShape } from './tableShape.ts';

/** The columns by which the records of a table are known; null for a table that is not of the source. */
export type KeyOf = (schema: string, table: string) => readonly string[] | null;

export interface LogGroupsOptions extends GroupLimits {
  /** What is stored already, and is left out when the server sends it again. */
  from: Place;
  types: ColumnTypes;
  keyOf: KeyOf;
  /** The prefix of the source's own messages; all others are left out. */
  prefix: string;
}

/**
 * Turns messages of a log into groups that can be stored: whole transactions, or parts of one that is large. The
 * truncations of one statement are a group of their own.
 */
export interface LogGroups {
  /** Adds the next message, which begins at `lsn` and has so many bytes. */
  add(message: LogMessage, lsn: Lsn, bytes: number): void;
  /** The next group, oldest first; null when nothing can be stored yet. */
  take(): LogGroup | null;
  /** How much of the log is in groups that have not been taken. */
  heldBytes(): number;
  /** The end of the last commit that has come. */
  end(): Lsn;
  /** Whether the log is between transactions, and everything of it has been taken. */
  isIdle(): boolean;
}

interface Transaction {
  xid: number;
  commitLsn: Lsn;
  committedAt: string;
  /** How many of its rows have come, those that are left out among them. */
  rows: number;
  /** How many of its rows are stored already. */
  skip: number;
}

/** Begins at a place; the same log in any pieces, after any number of restarts, gives the same changes once. */
export function createLogGroups(options: LogGroupsOptions): LogGroups {
  const { from, types, prefix } = options;
  const shapes = new Map<number, TableShape | null>();
  const cutter = createGroupCutter(options);
  let transaction: Transaction | null = null;
  let end = from.lsn;
  /** What of the transaction that comes next is stored already. */
  let resumed = from.within;
  /** Whether the current transaction has its item in the current group. */
  let isAnnounced = false;

  function add(message: LogMessage, lsn: Lsn, bytes: number): void {
    switch (message.kind) {
      case 'begin': {
        const { xid, commitLsn } = message;
        const committedAt = postgresTime(message.committedAt);
        transaction = { xid, commitLsn, committedAt, rows: 0, skip: skipOf(commitLsn) };
        isAnnounced = false;
        return;
      }
      case 'commit':
        transaction = null;
        if (message.commitLsn === resumed?.commitLsn) resumed = null;
        if (message.endLsn > end) end = message.endLsn;
        cutter.endTransaction();
        return;
      case 'relation': {
        const { relation } = message;
        const key = options.keyOf(relation.schema, relation.table);
        shapes.set(relation.id, key === null ? null : tableShape(relation, types, key));
        return;
      }
      case 'insert':
      case 'update':
      case 'delete': {
        const shape = shapeOf(message.relationId);
        addRow(lsn, bytes, () => (shape === null ? [] : rowChanges(shape, message)));
        return;
      }
      case 'truncate':
        addTruncation(lsn, bytes, message.relationIds.map(shapeOf));
        return;
      case 'message':
        if (message.prefix === prefix) addMark(lsn, bytes, message.content.toString());
        return;
      case 'origin':
      case 'type':
        return; // a type is looked up by its id
    }
  }

  function skipOf(commitLsn: Lsn): number {
    if (commitLsn < from.lsn) return Infinity;
    return resumed?.commitLsn === commitLsn ? resumed.rows : 0;
  }

  function shapeOf(relationId: number): TableShape | null {
    const shape = shapes.get(relationId);
    if (shape === undefined)
      throw new Error(`The log has rows of table ${relationId} before its columns`);
    return shape;
  }

  function addRow(lsn: Lsn, bytes: number, changes: () => Change[]): void {
    if (transaction === null) throw new Error('The log has rows outside of a transaction');
    transaction.rows += 1;
    if (transaction.rows <= transaction.skip) return;
    const found = changes();
    if (found.length === 0) return;
    announce(transaction);
    for (const change of found) cutter.add({ kind: 'change', lsn, change });
    if (cutter.endRow(bytes, place())) isAnnounced = false;
  }

  /** In a group of its own: emptying a collection is more than to append. */
  function addTruncation(lsn: Lsn, bytes: number, emptied: (TableShape | null)[]): void {
    const changes = emptied.flatMap((shape): Change[] =>
      shape === null ? [] : [{ kind: 'truncate', collection: shape.collection }],
    );
    const isNew = transaction !== null && transaction.rows >= transaction.skip;
    if (changes.length > 0 && isNew) cut();
    addRow(lsn, bytes, () => changes);
    if (changes.length > 0 && isNew) cut();
  }

  function cut(): void {
    cutter.cut(place());
    isAnnounced = false;
  }

  function addMark(lsn: Lsn, bytes: number, content: string): void {
    if (transaction === null ? lsn < from.lsn : transaction.rows < transaction.skip) return;
    if (transaction !== null) announce(transaction);
    cutter.add({ kind: 'mark', lsn, content }, bytes);
    if (transaction === null) cutter.endTransaction();
  }

  function announce({ xid, commitLsn, committedAt }: Transaction): void {
    if (isAnnounced) return;
    isAnnounced = true;
    cutter.add({ kind: 'transaction', xid, commitLsn, committedAt });
  }

  /** The place after everything that has come. */
  function place(): Place {
    if (transaction === null || transaction.rows <= transaction.skip)
      return { lsn: end, within: resumed };
    const { commitLsn, rows } = transaction;
    return { lsn: end, within: { commitLsn, rows } };
  }

  return {
    add,
    take: () => cutter.take({ lsn: end, within: resumed }),
    heldBytes: cutter.heldBytes,
    end: () => end,
    isIdle: () => transaction === null && cutter.isEmpty(),
  };
}

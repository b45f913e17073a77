import { NOT_UTF8, TOO_LARGE } from './byteReader.ts';
import { jsonValue, ValueError } from './jsonValue.ts';
import { UNCHANGED, type Cell, type LogMessage, type OldRow } from './pgoutput.ts';
import type { TableShape } from './tableShape.ts';

/** What the log says of a collection's records. */
export type Change = RowChange | Truncation | UnreadableRow;

/** A record as it is now. */
export interface RowChange {
  kind: 'row';
  collection: string;
  upstreamId: string;
  /** JSON text; null for a record that was deleted, which keeps what is stored of it. */
  data: string | null;
  deleted: boolean;
  /** Whether `data` leaves out large values that were not touched: they stay as they are stored. */
  merge: boolean;
  /** With `merge`, after a change of its key: the record that has what `data` leaves out. */
  movedFrom: string | null;
}

/** All records of a collection are gone. */
export interface Truncation {
  kind: 'truncate';
  collection: string;
}

/** A row that can't be turned into a record, with the reason in words. */
export interface UnreadableRow {
  kind: 'unreadable';
  collection: string;
  /** Null when the key is what can't be read. */
  upstreamId: string | null;
  reason: string;
}

type RowMessage = Extract<LogMessage, { kind: 'insert' | 'update' | 'delete' }>;

/** What the API accepts as the id of a record. */
const LONGEST_ID = 1_024;

/**
 * Turns a change of a row into those of its record, in order: a changed key deletes one record and creates another. What
 * can't be read becomes a change that says why; nothing is left out, and nothing is thrown.
 */
export function rowChanges(shape: TableShape, message: RowMessage): Change[] {
  if (shape.problem !== null) return [unreadable(shape, null, shape.problem)];
  switch (message.kind) {
    case 'insert':
      return [present(shape, message.row, null)];
    case 'delete':
      return [absent(shape, message.old.cells)];
    case 'update':
      return updateOf(shape, message.row, message.old);
  }
}

/** A row that was read from its table, as the log would have it. */
export function rowOf(shape: TableShape, cells: Cell[]): Change {
  return shape.problem === null
    ? present(shape, cells, null)
    : unreadable(shape, null, shape.problem);
}

function updateOf(shape: TableShape, row: Cell[], old: OldRow | null): Change[] {
  if (old === null) return [present(shape, row, null)];
  const isOld = (place: number): boolean => old.isWhole || shape.key.includes(place);
  const filled = row.map((cell, place) =>
    cell === UNCHANGED && isOld(place) ? (old.cells[place] ?? null) : cell,
  );
  const gone = absent(shape, old.cells);
  if (gone.kind === 'unreadable') return [gone, present(shape, filled, null)];
  const now = present(shape, filled, gone.upstreamId);
  return gone.upstreamId === now.upstreamId ? [now] : [gone, now];
}

/** A record that is there; `before` is the id that it had until now, if that is known. */
function present(
  shape: TableShape,
  cells: Cell[],
  before: string | null,
): RowChange | UnreadableRow {
  const id = tryTo(() => upstreamId(shape, cells));
  if ('reason' in id) return unreadable(shape, null, id.reason);
  const data = tryTo(() => dataOf(shape, cells));
  if ('reason' in data) return unreadable(shape, id.value, data.reason);
  const merge = cells.includes(UNCHANGED);
  return {
    kind: 'row',
    collection: shape.collection,
    upstreamId: id.value,
    data: data.value,
    deleted: false,
    merge,
    movedFrom: merge && before !== id.value ? before : null,
  };
}

function absent(
  shape: TableShape,
  cells: Cell[],
): (RowChange & { deleted: true }) | (UnreadableRow & { upstreamId: null }) {
  const id = tryTo(() => upstreamId(shape, cells));
  const { collection } = shape;
  if ('reason' in id)
    return { kind: 'unreadable', collection, upstreamId: null, reason: id.reason };
  return {
    kind: 'row',
    collection,
    upstreamId: id.value,
    data: null,
    deleted: true,
    merge: false,
    movedFrom: null,
  };
}

function unreadable(shape: TableShape, upstreamId: string | null, reason: string): UnreadableRow {
  return { kind: 'unreadable', collection: shape.collection, upstreamId, reason };
}

function dataOf(shape: TableShape, cells: Cell[]): string {
  const fields: string[] = [];
  for (const [place, column] of shape.columns.entries()) {
    if (cells[place] !== UNCHANGED) fields.push(column.label + cellValue(shape, cells, place));
  }
  return `{${fields.join(',')}}`;
}

/** The key's text; of several columns, a JSON array of their values. */
function upstreamId(shape: TableShape, cells: Cell[]): string {
  const values = shape.key.map((place) => {
    const value = cellValue(shape, cells, place);
    if (value !== 'null') return value;
    throw new ValueError(`Column ${shape.columns[place]?.name} of the key is null`);
  });
  const [first = ''] = values;
  if (values.length > 1) return checkedId(`[${values.join(',')}]`);
  return checkedId(first.startsWith('"') ? (JSON.parse(first) as string) : first);
}

function checkedId(id: string): string {
  if (id === '') throw new ValueError('The key is an empty text, and a record needs an id');
  if (id.length <= LONGEST_ID) return id;
  throw new ValueError(`The key has ${id.length} characters; an id has at most ${LONGEST_ID}`);
}

function cellValue(shape: TableShape, cells: Cell[], place: number): string {
  const column = shape.columns[place];
  const cell = cells[place];
  if (column === undefined || cell === undefined || cells.length !== shape.columns.length) {
    const due = shape.columns.length;
    throw new ValueError(`The row has ${cells.length} columns, and its table ${due}`);
  }
  if (cell === null) return 'null';
  if (cell === NOT_UTF8) throw new ValueError(`Column ${column.name} is not UTF-8`);
  if (cell === TOO_LARGE) throw new ValueError(`Column ${column.name} is too large for a record`);
  if (cell === UNCHANGED) throw new ValueError(`The log does not have column ${column.name}`);
  try {
    return jsonValue(column.type, cell);
  } catch (error) {
    if (error instanceof ValueError) throw new ValueError(`Column ${column.name} ${error.message}`);
    throw error;
  }
}

function tryTo(work: () => string): { value: string } | { reason: string } {
  try {
    return { value: work() };
  } catch (error) {
    if (error instanceof ValueError) return { reason: error.message };
    throw error;
  }
}

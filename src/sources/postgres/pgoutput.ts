import { readBytes, type ByteReader, type NOT_UTF8, type TOO_LARGE } from './byteReader.ts';
import type { Lsn } from './lsn.ts';

/** In place of a large value that an update did not touch: the log does not have it. */
export const UNCHANGED = Symbol('unchanged');

/** A column's value in a row: its text, or why there is none. */
export type Cell = string | null | typeof UNCHANGED | typeof NOT_UTF8 | typeof TOO_LARGE;

/** A table as the rows after it are to be read. */
export interface Relation {
  id: number;
  schema: string;
  table: string;
  /** By what old rows are identified: the primary key, nothing, whole rows, or an index. */
  identity: 'default' | 'nothing' | 'full' | 'index';
  columns: RelationColumn[];
}

export interface RelationColumn {
  name: string;
  typeId: number;
  /** Whether old rows have it. */
  isKey: boolean;
}

/** The row before a change: whole, or only the columns of the key with null for all others. */
export interface OldRow {
  isWhole: boolean;
  cells: Cell[];
}

/** A message of pgoutput, version 1 of the protocol. */
export type LogMessage =
  | { kind: 'begin'; commitLsn: Lsn; committedAt: bigint; xid: number }
  | { kind: 'commit'; commitLsn: Lsn; endLsn: Lsn; committedAt: bigint }
  | { kind: 'origin'; lsn: Lsn; name: string }
  | { kind: 'relation'; relation: Relation }
  | { kind: 'type'; id: number; schema: string; name: string }
  | { kind: 'insert'; relationId: number; row: Cell[] }
  | { kind: 'update'; relationId: number; old: OldRow | null; row: Cell[] }
  | { kind: 'delete'; relationId: number; old: OldRow }
  | { kind: 'truncate'; relationIds: number[] }
  | {
      kind: 'message';
      isTransactional: boolean;
      lsn: Lsn;
      prefix: string;
      /** A view, valid as long as the message itself. */
      content: Buffer;
    };

const NAMES: Record<string, string> = {
  B: 'Begin',
  C: 'Commit',
  O: 'Origin',
  R: 'Relation',
  Y: 'Type',
  I: 'Insert',
  U: 'Update',
  D: 'Delete',
  T: 'Truncate',
  M: 'Message',
};
const IDENTITIES: Record<string, Relation['identity']> = {
  d: 'default',
  n: 'nothing',
  f: 'full',
  i: 'index',
};

/** Decodes one message, which begins at `lsn`. Throws a `ProtocolError` unless it is whole and known. */
export function decodeMessage(payload: Buffer, lsn: Lsn): LogMessage {
  const kind = String.fromCharCode(payload[0] ?? 0);
  const name = NAMES[kind];
  const reader = readBytes(payload, name === undefined ? 'message' : `${name} message`, lsn);
  if (name === undefined) return reader.fail(`its kind is byte ${payload[0] ?? 'none'}`);
  reader.uint8();
  const message = readMessage(kind, reader);
  reader.end();
  return message;
}

function readMessage(kind: string, reader: ByteReader): LogMessage {
  switch (kind) {
    case 'B':
      return {
        kind: 'begin',
        commitLsn: reader.uint64(),
        committedAt: reader.int64(),
        xid: reader.uint32(),
      };
    case 'C':
      reader.uint8(); // flags, of which there are none
      return {
        kind: 'commit',
        commitLsn: reader.uint64(),
        endLsn: reader.uint64(),
        committedAt: reader.int64(),
      };
    case 'O':
      return { kind: 'origin', lsn: reader.uint64(), name: reader.text() };
    case 'R':
      return { kind: 'relation', relation: readRelation(reader) };
    case 'Y':
      return {
        kind: 'type',
        id: reader.uint32(),
        schema: readSchema(reader),
        name: reader.text(),
      };
    case 'I':
      return { kind: 'insert', relationId: reader.uint32(), row: readNewRow(reader) };
    case 'U':
      return readUpdate(reader);
    case 'D':
      return {
        kind: 'delete',
        relationId: reader.uint32(),
        old: readOldRow(readLetter(reader), reader),
      };
    case 'T':
      return readTruncate(reader);
    default:
      return readLogical(reader);
  }
}

function readRelation(reader: ByteReader): Relation {
  const id = reader.uint32();
  const schema = readSchema(reader);
  const table = reader.text();
  const letter = readLetter(reader);
  const identity = IDENTITIES[letter] ?? reader.fail(`its replica identity is ${letter}`);
  const columns: RelationColumn[] = [];
  for (let left = reader.int16(); left > 0; left--) {
    const isKey = (reader.uint8() & 1) === 1;
    const name = reader.text();
    const typeId = reader.uint32();
    reader.uint32(); // the type's modifier
    columns.push({ name, typeId, isKey });
  }
  return { id, schema, table, identity, columns };
}

/** Postgres leaves the name of its own schema out. */
function readSchema(reader: ByteReader): string {
  return reader.text() || 'pg_catalog';
}

function readUpdate(reader: ByteReader): LogMessage {
  const relationId = reader.uint32();
  const letter = readLetter(reader);
  if (letter === 'N') return { kind: 'update', relationId, old: null, row: readCells(reader) };
  const old = readOldRow(letter, reader);
  return { kind: 'update', relationId, old, row: readNewRow(reader) };
}

function readNewRow(reader: ByteReader): Cell[] {
  const letter = readLetter(reader);
  if (letter !== 'N') reader.fail(`a new row is due, and it has ${letter}`);
  return readCells(reader);
}

function readOldRow(letter: string, reader: ByteReader): OldRow {
  if (letter !== 'K' && letter !== 'O') reader.fail(`an old row is due, and it has ${letter}`);
  return { isWhole: letter === 'O', cells: readCells(reader) };
}

function readCells(reader: ByteReader): Cell[] {
  const count = reader.int16();
  const cells: Cell[] = [];
  for (let nth = 0; nth < count; nth++) {
    const letter = readLetter(reader);
    if (letter === 't') cells.push(reader.textOf(reader.uint32()));
    else if (letter === 'n') cells.push(null);
    else if (letter === 'u') cells.push(UNCHANGED);
    else reader.fail(`column ${nth + 1} has the form ${letter}`);
  }
  return cells;
}

function readTruncate(reader: ByteReader): LogMessage {
  const count = reader.uint32();
  reader.uint8(); // CASCADE and RESTART IDENTITY; every table that was emptied is listed
  const relationIds: number[] = [];
  for (let nth = 0; nth < count; nth++) relationIds.push(reader.uint32());
  return { kind: 'truncate', relationIds };
}

function readLogical(reader: ByteReader): LogMessage {
  const isTransactional = (reader.uint8() & 1) === 1;
  const lsn = reader.uint64();
  const prefix = reader.text();
  return { kind: 'message', isTransactional, lsn, prefix, content: reader.bytes(reader.uint32()) };
}

function readLetter(reader: ByteReader): string {
  return String.fromCharCode(reader.uint8());
}

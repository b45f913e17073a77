import { mayBeRepeated } from '../db/errors.ts';
import { DATA_BYTES } from '../schema/stream.ts';
import { parseJson } from '../streams/exactJson.ts';
import { RefusedEntry } from '../streams/refusedEntry.ts';
import { decodeUtf8, whyMalformed } from './body.ts';
import type { ToRow } from './entries.ts';
import { ApiError, toApiError, type FieldError } from './errors.ts';

/** A body to append, and how to append a part of it. */
export interface IngestLinesOptions<Row, Answer> {
  body: AsyncIterable<Uint8Array>;
  toRow: ToRow<Row>;
  append: (rows: Row[]) => Promise<Answer>;
  /** Merges the answer to all parts so far with that to the next part. */
  add: (sum: Answer, next: Answer) => Answer;
}

/** Enough for an entry with ids, names, and `data` and `changes` of their full size. */
const LINE_BYTES = 2 * DATA_BYTES + 64 * 1024;
const PART = { lines: 500, bytes: 1024 * 1024 };
const NEWLINE = 0x0a;

/**
 * Appends a body with one JSON entry per line, in parts. One part is committed while the next is read,
 * so memory stays bounded and the client is slowed down. Blank lines are skipped. An invalid line ends
 * it with a 422, after all lines before it (`committed`) are stored; any other failure says how many
 * lines are certainly stored.
 */
export async function ingestLines<Row, Answer>(
  options: IngestLinesOptions<Row, Answer>,
): Promise<Answer> {
  const { toRow, append, add } = options;
  let sum: Answer | null = null;
  let committed = 0;
  let part: ReadLine<Row>[] = [];
  let partBytes = 0;
  let parts = 0;
  let committing: Promise<void> = Promise.resolve();

  async function commit(): Promise<void> {
    if (part.length === 0 && parts > 0) return;
    parts++;
    const lines = part;
    part = [];
    partBytes = 0;
    await committing;
    committing = store(lines);
    committing.catch(() => undefined); // it is thrown where it is awaited
  }

  /** Stores a part or, if one of its lines is refused, what comes before that line. */
  async function store(lines: ReadLine<Row>[]): Promise<void> {
    try {
      const answer = await append(lines.map(({ row }) => row));
      sum = sum === null ? answer : add(sum, answer);
      committed += lines.length;
    } catch (error) {
      if (!(error instanceof RefusedEntry)) throw error;
      const { index, field, detail } = error;
      if (index > 0) await store(lines.slice(0, index));
      throw invalidLine(lines[index]!.number, committed, [{ pointer: `/${field}`, detail }]);
    }
  }

  try {
    for await (const { number, bytes } of linesOf(options.body)) {
      const read = readLine(bytes, toRow);
      if ('faults' in read) {
        await commit();
        await committing;
        throw invalidLine(number, committed, read.faults);
      }
      part.push({ number, row: read.row });
      partBytes += bytes.byteLength;
      if (part.length >= PART.lines || partBytes >= PART.bytes) await commit();
    }
    await commit();
    await committing;
  } catch (error) {
    await committing.catch(() => undefined); // the same error, or a later one that matters less
    throw withCommitted(error, committed);
  }
  return sum as Answer;
}

interface ReadLine<Row> {
  number: number;
  row: Row;
}

interface Line {
  /** Counted from 1, blank lines included. */
  number: number;
  bytes: Uint8Array;
}

async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let number = 0;
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  for await (const chunk of body) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const bytes = Buffer.concat([...rest, chunk.subarray(start, end)]);
      rest = [];
      restBytes = 0;
      start = end + 1;
      number++;
      if (!isBlank(bytes)) yield { number, bytes };
    }
    rest.push(chunk.subarray(start));
    restBytes += chunk.byteLength - start;
    if (restBytes > LINE_BYTES) yield { number: number + 1, bytes: Buffer.concat(rest) }; // too long: it is refused
  }
  const bytes = Buffer.concat(rest);
  if (!isBlank(bytes)) yield { number: number + 1, bytes };
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

function readLine<Row>(bytes: Uint8Array, toRow: ToRow<Row>): ReturnType<ToRow<Row>> {
  const fault = (detail: string) => ({ faults: [{ pointer: '', detail }] });
  if (bytes.byteLength > LINE_BYTES) return fault(`is longer than ${LINE_BYTES} bytes`);
  let entry: unknown;
  try {
    entry = parseJson(decodeUtf8(bytes));
  } catch (error) {
    return fault(whyMalformed(error));
  }
  return toRow(entry, '');
}

function invalidLine(line: number, committed: number, errors: FieldError[]): ApiError {
  const first = errors[0]!;
  return new ApiError({
    status: 422,
    code: 'invalid_line',
    detail: `Line ${line}${first.pointer === '' ? '' : `: ${first.pointer}`} ${first.detail}`,
    errors: errors.slice(0, 20),
    extra: { line, committed },
  });
}

function withCommitted(error: unknown, committed: number): unknown {
  // An error that this module has thrown itself is recognised by its class, because its words are the sender's
  // own.
  if (!(error instanceof ApiError) && mayBeRepeated(error)) {
    return new ApiError({
      status: 503,
      code: 'database_unavailable',
      detail: `Postgres is not available; ${committed} lines are stored`,
      headers: { 'retry-after': '2' },
      extra: { committed },
      cause: error,
    });
  }
  const known = toApiError(error);
  if (known === null) return error;
  return new ApiError({ ...known.options, extra: { committed, ...known.options.extra } });
}

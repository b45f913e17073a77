import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';

import { Tokenizer, TokenType } from '@streamparser/json';
import { parse } from 'csv-parse';

import { CliError, EXIT } from './exit.ts';

/** The form of a source. */
export type Format = 'ndjson' | 'json' | 'csv';

/** The text of one entry in the source. */
export interface SourceLine {
  /** Counted from 1: the line of a text file, or the element of a JSON array. */
  number: number;
  /** JSON, or the text that could not be read. */
  text: string;
  /** Why it could not be read; null otherwise. */
  fault: string | null;
  /** Offset in the source, in bytes, of what comes after it. */
  end: number;
}

/** Where reading continues. */
export interface SourcePlace {
  offset: number;
  number: number;
  /** The header of a CSV file, which is read once. */
  columns: string[] | null;
}

/** What to read, and from where. */
export interface Source {
  format: Format;
  chunks: AsyncIterable<Uint8Array>;
  from: SourcePlace;
  onColumns: (columns: string[]) => void;
}

const START: SourcePlace = { offset: 0, number: 0, columns: null };
/** A longer line can't be an entry, which has `data` and `changes` of at most 1 MiB each, and names. */
const LINE_BYTES = 3 * 1024 * 1024;
const [NEWLINE, RETURN, BRACKET] = [0x0a, 0x0d, 0x5b];
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** The beginning of a source. */
export function startOf(): SourcePlace {
  return { ...START };
}

/** Reads the bytes of a file from an offset, or of stdin for `-`. */
export function openBytes(path: string, offset: number): AsyncIterable<Uint8Array> {
  if (path === '-') return process.stdin as AsyncIterable<Uint8Array>;
  return createReadStream(path, { start: offset, highWaterMark: 256 * 1024 });
}

/** Guesses the format of a file by its name, else by its first byte that is not a blank. */
export function formatOf(path: string, head: Uint8Array): Format {
  const name = path.toLowerCase();
  if (/\.(ndjson|jsonl)$/u.test(name)) return 'ndjson';
  if (name.endsWith('.csv')) return 'csv';
  const text = Buffer.from(withoutBom(head));
  const first = text.find((byte) => byte > 0x20);
  if (first === BRACKET) return 'json';
  return first === 0x7b || name.endsWith('.json') ? 'ndjson' : 'csv';
}

/** Reads the entries of a source one after another, in memory that does not grow with its size. */
export function readSource(source: Source): AsyncGenerator<SourceLine> {
  if (source.format === 'csv') return readCsv(source);
  return source.format === 'json' ? readArray(source) : readLines(source);
}

async function* readLines({ chunks, from }: Source): AsyncGenerator<SourceLine> {
  let { number, offset } = from;
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const readOn = (part: Uint8Array, end: number): SourceLine | null => {
    number++;
    const isLong = heldBytes + part.byteLength > LINE_BYTES;
    const bytes = held.length === 0 ? part : Buffer.concat([...held, part]);
    held = [];
    heldBytes = 0;
    if (isLong) return { number, text: '', fault: tooLong(), end };
    const line = { number, ...textOf(number === 1 ? withoutBom(bytes) : bytes), end };
    return line.text.trim() === '' ? null : line;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, start)) {
      const stop = chunk[at - 1] === RETURN && at > start ? at - 1 : at;
      const line = readOn(chunk.subarray(start, stop), offset + at + 1);
      start = at + 1;
      if (line !== null) yield line;
    }
    offset += chunk.byteLength;
    const rest = chunk.subarray(start);
    heldBytes += rest.byteLength;
    if (heldBytes <= LINE_BYTES || held.length === 0) held.push(rest); // a longer line is refused anyway
  }
  const last = readOn(new Uint8Array(), offset);
  if (last !== null) yield last;
}

/** Reads the elements of one array, cut out as text by a tokenizer, so that numbers are not rounded. */
async function* readArray({ chunks, from }: Source): AsyncGenerator<SourceLine> {
  const tokenizer = new Tokenizer({ stringBufferSize: 64 * 1024 });
  let depth = from.offset > 0 ? 1 : 0;
  let isOver = false;
  let { number } = from;
  let began: number | null = null;
  let found: { start: number; comma: number }[] = [];
  let fault: string | null = null;
  tokenizer.onError = (error) => (fault ??= error.message.replace(/ at chunk.*$/u, ''));
  tokenizer.onToken = ({ token, offset }) => {
    if (isOver) fault ??= 'there is something after the array';
    if (depth === 0 && token !== TokenType.LEFT_BRACKET) fault ??= 'it is not an array';
    const opens = token === TokenType.LEFT_BRACKET || token === TokenType.LEFT_BRACE;
    const closes = token === TokenType.RIGHT_BRACKET || token === TokenType.RIGHT_BRACE;
    if (depth === 1 && (closes || token === TokenType.COMMA)) {
      if (began !== null) found.push({ start: began, comma: offset });
      began = null;
    } else if (depth === 1) began ??= offset;
    if (opens) depth++;
    if (closes && --depth === 0) isOver = true;
  };
  let kept: Uint8Array = new Uint8Array();
  let keptFrom = 0; // offset of `kept` in what was read here
  for await (const chunk of chunks) {
    if (chunk.byteLength === 0) continue;
    kept = kept.byteLength === 0 ? chunk : Buffer.concat([kept, chunk]);
    tokenizer.write(chunk);
    for (const { start, comma } of found) {
      number++;
      const element = kept.subarray(start - keptFrom, comma - keptFrom);
      yield { number, ...textOf(element), end: from.offset + comma + 1 };
    }
    found = [];
    const seen = keptFrom + kept.byteLength;
    if (fault !== null) throw broken(from.offset + seen, fault);
    const keepFrom = began ?? seen;
    if (seen - keepFrom > LINE_BYTES) throw broken(from.offset + keepFrom, tooLong());
    kept = kept.subarray(keepFrom - keptFrom);
    keptFrom = keepFrom;
  }
  if (!isOver) throw broken(from.offset + keptFrom, 'it ends before the array does');
}

interface CsvRecord {
  record: Record<string, string>;
  info: { bytes: number; lines: number };
}

/** Reads each row as an object of its columns, all of them strings; numbers are lines of the file. */
async function* readCsv({ chunks, from, onColumns }: Source): AsyncGenerator<SourceLine> {
  const skipped: SourceLine[] = [];
  const place = (bytes: number, lines: number): Pick<SourceLine, 'number' | 'end'> => ({
    number: from.number + lines,
    end: from.offset + bytes,
  });
  const parser = parse({
    bom: from.offset === 0,
    columns:
      from.columns ??
      ((header: string[]) => {
        onColumns(header);
        return header;
      }),
    info: true,
    max_record_size: LINE_BYTES,
    skip_empty_lines: true,
    skip_records_with_error: true,
    on_skip: (error, raw) => {
      if (error === undefined) return;
      const { bytes = 0, lines = 0 } = error as { bytes?: number; lines?: number };
      skipped.push({ ...place(bytes, lines), text: raw ?? '', fault: error.message });
    },
  });
  Readable.from(chunks)
    .on('error', (error) => parser.destroy(error))
    .pipe(parser);
  for await (const { record, info } of parser as AsyncIterable<CsvRecord>) {
    const line = { ...place(info.bytes, info.lines), text: JSON.stringify(record), fault: null };
    while (skipped.length > 0 && skipped[0]!.end <= line.end) yield skipped.shift()!;
    yield line;
  }
  yield* skipped;
}

function broken(offset: number, why: string): CliError {
  return new CliError(
    EXIT.failed,
    `The JSON array can't be read near byte ${offset}: ${why}`,
    'Everything before it is imported; NDJSON continues after a bad line.',
  );
}

function tooLong(): string {
  return `is longer than ${LINE_BYTES} bytes`;
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(bytes: Uint8Array): { text: string; fault: string | null } {
  try {
    return { text: strict.decode(bytes), fault: null };
  } catch {
    return { text: Buffer.from(bytes).toString('utf8'), fault: 'is not UTF-8' };
  }
}

function withoutBom(bytes: Uint8Array): Uint8Array {
  return BOM.equals(bytes.subarray(0, 3)) ? bytes.subarray(3) : bytes;
}

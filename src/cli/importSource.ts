import { usage } from './exit.ts';
import { readArray, transcoded } from './importArray.ts';
import { readRows, type CsvRow } from './importCsv.ts';
import type { TextEncoding } from './importEncoding.ts';
import { readTextLines, type SourceLine, type TextLine } from './importLines.ts';

/** The form of a source. */
export type Format = 'ndjson' | 'json' | 'csv';

/** Where reading continues. */
export interface SourcePlace {
  offset: number;
  /** The lines or elements before it. */
  number: number;
  /** The header of a CSV file, which is read once. */
  header: Header | null;
}

/** The header of a CSV file. */
export interface Header {
  columns: string[];
  /** Its bytes in the file, in base64. */
  raw: string;
}

/** How the bytes of a source become entries. */
export interface Reading {
  format: Format;
  encoding: TextEncoding;
  /** What separates the columns of CSV. */
  delimiter: string;
}

/** The beginning of a source. */
export function startOf(): SourcePlace {
  return { offset: 0, number: 0, header: null };
}

/** Guesses the format of a file by its name, else by its first character that is not a blank. */
export function formatOf(path: string, head: Uint8Array, { mark }: TextEncoding): Format {
  const name = path.toLowerCase();
  if (/\.(ndjson|jsonl)$/u.test(name)) return 'ndjson';
  if (/\.(csv|tsv|tab)$/u.test(name)) return 'csv';
  const first = head.subarray(mark.byteLength).find((byte) => byte > 0x20);
  if (first === BRACKET) return 'json';
  return first === BRACE || name.endsWith('.json') ? 'ndjson' : 'csv';
}

/** The chunks that are read, and to which offsets refer: the source as it is, but arrays always as UTF-8. */
export function chunksToRead(
  chunks: AsyncIterable<Uint8Array>,
  { format, encoding }: Reading,
): AsyncIterable<Uint8Array> {
  return format === 'json' ? transcoded(chunks, encoding) : chunks;
}

/**
 * Reads the entries of a source one after another, in memory that does not grow with its size. `chunks`
 * are those of `chunksToRead`, from `from.offset` on. Rejects with a `CliError` when the header of a CSV
 * file can't be used, before the first entry.
 */
export async function* readSource(
  source: Reading & {
    chunks: AsyncIterable<Uint8Array>;
    from: SourcePlace;
    onHeader: (header: Header) => void;
  },
): AsyncGenerator<SourceLine> {
  const { format, from } = source;
  if (format === 'json') yield* readArray(source);
  else if (format === 'csv') yield* readCsv({ ...source, lines: readTextLines(source) });
  else {
    for await (const line of readTextLines({ ...source, from })) {
      if (line.fault !== null || line.text.trim() !== '') yield { ...line, lines: 1 };
    }
  }
}

/** Reads each row as an object of its columns, all of them strings. */
async function* readCsv(source: {
  lines: AsyncIterable<TextLine>;
  delimiter: string;
  from: SourcePlace;
  onHeader: (header: Header) => void;
}): AsyncGenerator<SourceLine> {
  let columns = source.from.header?.columns ?? null;
  for await (const row of readRows({ ...source, width: columns?.length ?? null })) {
    if (columns === null) {
      columns = headerOf(row);
      const raw = Buffer.concat(row.lines.map((line) => line.raw)).toString('base64');
      source.onHeader({ columns, raw });
    } else yield toLine(row, columns);
  }
}

function toLine({ lines, values, fault }: CsvRow, columns: string[]): SourceLine {
  const [first, last] = [lines[0]!, lines.at(-1)!];
  const members = values.map(
    (value, index) => `${JSON.stringify(columns[index])}:${JSON.stringify(value)}`,
  );
  return {
    number: first.number,
    lines: lines.length,
    text: fault === null ? `{${members.join(',')}}` : '',
    fault,
    raw: lines.length === 1 ? first.raw : Buffer.concat(lines.map(({ raw }) => raw)),
    isCut: first.isCut,
    start: first.start,
    end: last.end,
  };
}

/** The most lines that a header may have; with more it has a quote that is not closed. */
const HEADER_LINES = 20;

function headerOf({ lines, values, fault }: CsvRow): string[] {
  const number = lines[0]!.number;
  if (fault !== null) throw usage(`The header in line ${number} can't be used: it ${fault}`);
  if (lines.length > HEADER_LINES) {
    throw usage(
      `The header in line ${number} can't be used: it opens a quote that is closed only in line ${lines.at(-1)!.number}`,
    );
  }
  const places = Map.groupBy(values.keys(), (index) => values[index]!);
  const repeated = [...places].filter(([, indexes]) => indexes.length > 1);
  if (repeated.length > 0) {
    const all = repeated.map(
      ([name, indexes]) =>
        `${JSON.stringify(name)} (columns ${indexes.map((index) => index + 1).join(' and ')})`,
    );
    throw usage(
      `Column names must differ, or values would be lost; the header in line ${number} repeats ${all.join(', ')}`,
      'Nothing was sent. Rename or remove the columns, then import the file again.',
    );
  }
  return values;
}

const [BRACKET, BRACE] = [0x5b, 0x7b];

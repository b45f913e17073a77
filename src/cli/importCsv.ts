import { parse, type CsvError } from 'csv-parse/sync';

import { LINE_BYTES, tooLong, type TextLine } from './importLines.ts';

/** One row of a CSV source: its values, or why it can't be read. */
export interface CsvRow {
  /** The lines it consists of: more than one when a quoted value has ends of lines. */
  lines: TextLine[];
  values: string[];
  fault: string | null;
}

/** The most lines of one quoted value; they are kept until its quote is closed. */
const ROW_LINES = 50_000;
/** How many separators in lines between two quotes prove that these lines are rows of their own. */
const PROOF = 8;

/**
 * Reads rows; the first one has `width` values if `width` is null, and gives the others their number.
 * Empty lines are skipped. A row that can't be read has a fault. A quote that is opened and not closed
 * properly costs only the line in which it opens: reading continues with the next line.
 */
export async function* readRows(source: {
  lines: AsyncIterable<TextLine>;
  delimiter: string;
  width: number | null;
}): AsyncGenerator<CsvRow> {
  const { delimiter } = source;
  const queue = createQueue(source.lines);
  let { width } = source;
  for (let first = await queue.peek(0); first !== null; first = await queue.peek(0)) {
    if (first.fault === null && first.text === '') {
      queue.take(1);
      continue;
    }
    const { count, values, fault } = await readRow(queue, first, { delimiter, width });
    width ??= fault === null ? values.length : null;
    yield { lines: queue.take(count), values, fault };
  }
}

interface Shape {
  delimiter: string;
  width: number | null;
}
type Read = { count: number; values: string[]; fault: string | null };

async function readRow(queue: Queue, first: TextLine, shape: Shape): Promise<Read> {
  const refused = (fault: string, count = 1): Read => ({ count, values: [], fault });
  if (first.isCut) return refused(first.fault!);
  // The ASCII characters of an undecodable line are right, so it has its place in a value of several lines.
  const alone = parseRow(first.text, shape.delimiter);
  if (alone !== 'open') {
    return first.fault === null ? judged(alone, 1, shape.width) : refused(first.fault);
  }

  const lines = await linesToQuote(queue, first);
  if (lines === null) return refused('opens a quote that is not closed');
  const last = lines.at(-1)!;
  const text = lines.map((line) => line.text + line.ending).join('');
  const parsed = parseRow(text.slice(0, text.length - last.ending.length), shape.delimiter);
  if (parsed === 'open' || 'fault' in parsed) {
    return refused(
      `opens a quote that is not closed: the next quote is in line ${last.number}, within a value`,
    );
  }
  const read = judged(parsed, lines.length, shape.width);
  const proof = separatorsInRows(lines.slice(1, -1), shape);
  if (proof >= (read.fault === null ? PROOF : 1)) {
    return refused(
      `opens a quote that is closed only in line ${last.number}, and the lines between are rows of their own`,
    );
  }
  const undecodable = lines.find((line) => line.fault !== null);
  return undecodable === undefined ? read : refused(undecodable.fault!, lines.length);
}

function judged(row: Parsed, count: number, width: number | null): Read {
  if ('fault' in row) return { count, values: [], fault: row.fault };
  const { values } = row;
  if (width === null || values.length === width) return { count, values, fault: null };
  const many = (number: number, what: string): string =>
    `${number} ${what}${number === 1 ? '' : 's'}`;
  const fault = `has ${many(values.length, 'value')} for ${many(width, 'column')}`;
  return { count, values: [], fault };
}

/** The lines from `first`, which opens a quote, to the one that may close it; null when none does. */
async function linesToQuote(queue: Queue, first: TextLine): Promise<TextLine[] | null> {
  const lines = [first];
  let bytes = first.raw.byteLength;
  while (lines.length < ROW_LINES && bytes <= LINE_BYTES) {
    const line = await queue.peek(lines.length);
    if (line === null || line.isCut) return null;
    lines.push(line);
    bytes += line.raw.byteLength;
    // Within a quoted value quotes stand in pairs, so that an odd number closes it, if anything does.
    if ((line.text.split('"').length - 1) % 2 === 1) return lines;
  }
  return null;
}

/** How many separators the lines have if each is a row of this width by itself; 0 otherwise. */
function separatorsInRows(lines: TextLine[], { delimiter, width }: Shape): number {
  if (width === null || width < 2) return 0;
  let separators = 0;
  for (const { text } of lines) {
    if (text === '') continue;
    const row = parseRow(text, delimiter);
    if (row === 'open' || 'fault' in row || row.values.length !== width) return 0;
    separators += width - 1;
  }
  return separators;
}

type Parsed = { values: string[] } | { fault: string };

/** Parses one row; 'open' when a quote is still open at its end. */
function parseRow(text: string, delimiter: string): Parsed | 'open' {
  try {
    const rows = parse(text, {
      delimiter,
      record_delimiter: ['\r\n', '\n', '\r'],
      relax_column_count: true,
    });
    if (rows.length === 1) return { values: rows[0]! };
    return { fault: 'has line breaks outside of quotes' };
  } catch (error) {
    const { code } = error as CsvError;
    if (code === 'CSV_QUOTE_NOT_CLOSED') return 'open';
    return { fault: FAULTS[code] ?? (error as Error).message };
  }
}

const FAULTS: Partial<Record<string, string>> = {
  CSV_INVALID_CLOSING_QUOTE: 'has a quote in a quoted value that is not doubled',
  INVALID_OPENING_QUOTE: 'has a quote in a value that does not begin with one',
  CSV_MAX_RECORD_SIZE: tooLong(),
};

/** Lines that were read ahead. */
interface Queue {
  peek(index: number): Promise<TextLine | null>;
  take(count: number): TextLine[];
}

function createQueue(source: AsyncIterable<TextLine>): Queue {
  const iterator = source[Symbol.asyncIterator]();
  let lines: TextLine[] = [];
  let at = 0;
  return {
    peek: async (index) => {
      while (lines.length - at <= index) {
        const next = await iterator.next();
        if (next.done === true) return null;
        lines.push(next.value);
      }
      return lines[at + index]!;
    },
    take: (count) => {
      const taken = lines.slice(at, at + count);
      at += count;
      if (at > 1_000 || at === lines.length) {
        lines = lines.slice(at);
        at = 0;
      }
      return taken;
    },
  };
}

import { usage } from './exit.ts';
import { readRows } from './importCsv.ts';
import type { TextEncoding } from './importEncoding.ts';
import { readTextLines } from './importLines.ts';

const CANDIDATES = [',', ';', '\t', '|'];
/** How many rows after the header are examined. */
const ROWS = 50;

/** Parses `--delimiter`: one character, or `tab`. Throws a `CliError` for anything else. */
export function parseDelimiter(flag: string): string {
  if (flag === 'tab' || flag === '\\t') return '\t';
  if (Array.from(flag).length === 1 && !/["\r\n]/u.test(flag)) return flag;
  throw usage(
    `--delimiter takes one character such as ; or |, or the word tab, not ${JSON.stringify(flag)}`,
  );
}

/** A delimiter as a person would call it. */
export function delimiterName(delimiter: string): string {
  return delimiter === '\t' ? 'tab' : delimiter;
}

/**
 * Finds the character that separates the columns of a CSV file: of comma, semicolon, tab and `|`, the one by
 * which most of the first rows have as many values as the header; of two such, the one with more columns. A
 * file without any of them has one column. Rejects with a `CliError` that names the flag when two are equally
 * likely.
 */
export async function findDelimiter(
  path: string,
  head: Uint8Array,
  encoding: TextEncoding,
): Promise<string> {
  const scores: Score[] = [];
  for (const delimiter of CANDIDATES) scores.push(await scoreOf(delimiter, head, encoding));
  const likely = scores.filter(({ width }) => width > 1);
  likely.sort((a, b) => b.share - a.share || b.width - a.width);
  const [first, second] = likely;
  if (/\.(tsv|tab)$/iu.test(path)) return '\t';
  if (first === undefined) return ',';
  if (second?.share === first.share && second.width === first.width) {
    const [one, other] = [delimiterName(first.delimiter), delimiterName(second.delimiter)];
    throw usage(
      `The columns may be separated by ${one} or by ${other}; set --delimiter to the right one`,
    );
  }
  return first.delimiter;
}

interface Score {
  delimiter: string;
  /** The number of columns in the header; 0 when it can't be read. */
  width: number;
  /** The share of rows that have as many values. */
  share: number;
}

async function scoreOf(
  delimiter: string,
  head: Uint8Array,
  encoding: TextEncoding,
): Promise<Score> {
  const lines = readTextLines({ chunks: only(head), encoding, from: { offset: 0, number: 0 } });
  let width: number | null = null;
  let rows = 0;
  let good = 0;
  for await (const { values, fault } of readRows({ lines, delimiter, width: null })) {
    if (width === null) {
      if (fault !== null) break;
      width = values.length;
      continue;
    }
    rows++;
    if (fault === null) good++;
    if (rows === ROWS) break;
  }
  return { delimiter, width: width ?? 0, share: rows === 0 ? 1 : good / rows };
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

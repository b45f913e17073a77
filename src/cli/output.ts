import { styleText } from 'node:util';

import type { Page } from '../api/client.ts';
import { cut, formatDetails, formatTable, type Column } from './table.ts';

type Style = Parameters<typeof styleText>[0];

/** Prints the output of a command: data on stdout, everything else on stderr. */
export interface Output {
  /** Whether data is printed as JSON, for machines. */
  readonly isJson: boolean;
  /** Whether stdout is a terminal, on which lines can be redrawn. */
  readonly isTerminal: boolean;
  /** The width of that terminal in characters; null if there is no terminal, or its width is unknown. */
  readonly width: number | null;
  /** Prints one JSON document; numbers keep the text with which they came. */
  json(value: unknown): void;
  /** Prints one JSON value on a line of its own. */
  jsonLine(value: unknown): void;
  /** Prints a line on stdout. */
  line(text: string): void;
  /** Prints a list, as JSON or as a table. */
  page<T>(page: Page<T>, columns: readonly Column<T>[], what: string): void;
  /** Says how to continue after a page; nothing when it is the last one. */
  more(page: Pick<Page<unknown>, 'next_cursor'>): void;
  /**
   * Prints one thing, as JSON or as aligned lines, which are never cut, because they may contain a secret or a
   * body.
   */
  thing(value: object, fields: readonly (readonly [string, unknown])[]): void;
  /** Formats fields as aligned lines, cut at the width of the terminal. */
  details(fields: readonly (readonly [string, unknown])[]): string[];
  /** Prints a line for people on stderr. */
  note(text: string): void;
  /** Colours a text if stdout is a terminal and NO_COLOR is not set. */
  style(style: Style, text: string): string;
  /** Shows progress on stderr: in one line on a terminal, otherwise a line every 10 s at most. */
  progress(text: string): void;
  /** Removes the line of progress. */
  endProgress(): void;
}

const PLAIN_PROGRESS_MS = 10_000;
/** The width that is assumed for a terminal that does not report one. */
const PLAIN_WIDTH = 80;

/** Prints to stdout and stderr of this process. */
export function createOutput(options: { isJson: boolean }): Output {
  const { stdout, stderr } = process;
  const isTerminal = stdout.isTTY && process.env['TERM'] !== 'dumb';
  const isDrawing = stderr.isTTY && process.env['TERM'] !== 'dumb';
  // A terminal that was never told its size has 0 columns.
  const width = (): number | null => (isTerminal && stdout.columns > 0 ? stdout.columns : null);
  let drawn = false;
  let saidAt = 0;

  const write = (text: string): void => {
    clear();
    stdout.write(`${text}\n`);
  };
  const clear = (): void => {
    if (drawn) stderr.write('\r\u001B[K');
    drawn = false;
  };
  const style = (how: Style, text: string): string => styleText(how, text, { stream: stdout });
  const note = (text: string): void => {
    clear();
    stderr.write(`${text}\n`);
  };
  const details = (fields: readonly (readonly [string, unknown])[]): string[] =>
    formatDetails(fields).map((line) => cut(line, width() ?? Infinity));
  const json = (value: unknown): void => write(escaped(JSON.stringify(value, null, 2)));
  const more = ({ next_cursor: cursor }: Pick<Page<unknown>, 'next_cursor'>): void => {
    if (cursor !== null) note(`There are more: --cursor ${cursor}`);
  };

  return {
    isJson: options.isJson,
    isTerminal,
    get width() {
      return width();
    },
    json,
    jsonLine: (value) => write(escaped(JSON.stringify(value))),
    line: write,
    page: (page, columns, what) => {
      if (options.isJson) {
        json(page);
        return;
      }
      const [head, ...rows] = formatTable(columns, page.data, width() ?? Infinity);
      if (head === undefined) note(`There are no ${what}.`);
      else for (const line of [style('bold', head), ...rows]) write(line);
      more(page);
    },
    more,
    thing: (value, fields) => {
      if (options.isJson) json(value);
      else for (const line of formatDetails(fields)) write(line);
    },
    details,
    note,
    style,
    progress: (text) => {
      if (isDrawing) {
        stderr.write(`\r${cut(text, (stderr.columns || PLAIN_WIDTH) - 1)}\u001B[K`);
        drawn = true;
      } else if (performance.now() - saidAt >= PLAIN_PROGRESS_MS) {
        saidAt = performance.now();
        stderr.write(`${text}\n`);
      }
    },
    endProgress: clear,
  };
}

/**
 * JSON unchanged, except that none of its characters can control a terminal: JSON.stringify leaves DEL and C1
 * as they are.
 */
export function escaped(json: string): string {
  return json.replaceAll(/[\u007f-\u009f\p{Bidi_Control}]/gu, unicodeEscape);
}

/**
 * A line of text unchanged, except that none of its characters can control a terminal: such a character is
 * written as in JSON.
 */
export function verbatim(line: string): string {
  return line.replaceAll(/(?!\t)[\p{Cc}\p{Bidi_Control}]/gu, unicodeEscape);
}

function unicodeEscape(one: string): string {
  return `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

import { ClientError } from '../api.ts';

/** Why an expression can't be used, and where: line and column count from 1, columns in UTF-16 units. */
export interface ExpressionFault {
  /** The expression that was tried. */
  text: string;
  line: number;
  column: number;
  /** A sentence. */
  detail: string;
}

/** What the API says of the expression at a pointer, if it refused it; null when it did not. */
export function expressionFault(
  error: unknown,
  pointer: string,
  text: string,
): ExpressionFault | null {
  if (!(error instanceof ClientError)) return null;
  const found = error.problem.errors?.find((one) => one.pointer === pointer);
  if (found?.line === undefined || found.column === undefined) return null;
  return { text, line: found.line, column: found.column, detail: found.detail };
}

const MOST_BYTES = 4_096;

/** What is wrong with an expression that is too long to be tried; null: nothing. */
export function lengthFault(text: string): string | null {
  const { length } = new TextEncoder().encode(text);
  return length > MOST_BYTES ? 'An expression has at most 4,096 bytes.' : null;
}

/** A line of an expression in three parts, of which the middle one is wrong; it is empty behind the end of the line. */
export interface MarkedLine {
  before: string;
  marked: string;
  after: string;
  /** Where the middle part begins and ends in the expression. */
  from: number;
  to: number;
}

/** So much is shown of a line on both sides of what is wrong. */
const AROUND = 60;

/** Marks the word, the number or the single character at which an expression is wrong. */
export function markedLine({ text, line, column }: ExpressionFault): MarkedLine {
  const lines = text.split('\n');
  const whole = lines[line - 1] ?? '';
  const start = Math.min(Math.max(column - 1, 0), whole.length);
  const [marked = ''] = /^(?:[\p{L}\p{N}_]+|.)/u.exec(whole.slice(start)) ?? [];
  const first = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  const from = first + start;
  return {
    before: shortened(whole.slice(0, start).trimStart(), 'end'),
    marked,
    after: shortened(whole.slice(start + marked.length), 'start'),
    from,
    to: from + marked.length,
  };
}

/** The end or the start of a text, with an ellipsis where the rest is. */
function shortened(text: string, kept: 'start' | 'end'): string {
  if (text.length <= AROUND) return text;
  return kept === 'end' ? `…${text.slice(-AROUND)}` : `${text.slice(0, AROUND)}…`;
}

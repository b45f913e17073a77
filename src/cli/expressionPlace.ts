import type { Problem } from '../schema/problem.ts';
import { printable } from './table.ts';

/** So much of a long line is shown on each side of what is wrong. */
const AROUND = 60;

/**
 * The line of an expression that is wrong, and below it a mark at its place, as lines for people; none for any other fault.
 * `text` is what was sent for the field, if anything was.
 */
export function placeLines(
  text: unknown,
  { line, column }: NonNullable<Problem['errors']>[number],
): string[] {
  if (typeof text !== 'string' || line === undefined || column === undefined) return [];
  const whole = text.split('\n')[line - 1] ?? '';
  const [at, first, last] = [column - 1, column - 1 - AROUND, column - 1 + AROUND];
  const before = (first > 0 ? '…' : '') + whole.slice(Math.max(first, 0), at);
  const after = whole.slice(at, last) + (last < whole.length ? '…' : '');
  return [`  ${printable(before)}${printable(after)}`, `  ${' '.repeat(before.length)}^`];
}

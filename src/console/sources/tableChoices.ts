import type { SourceTest } from '../../schema/source.ts';
import { amount, listed, number } from '../words.ts';

/** A table of a database, as a test of it has found it. */
export type FoundTable = SourceTest['tables'][number];

/** One row of the list in which tables are selected. */
export interface TableChoice {
  table: string;
  /** What is known of it; null: no test has found it, or none was made yet. */
  found: FoundTable | null;
}

/** The most that a test of a database lists. */
const MOST_LISTED = 1_000;

/** The tables that were found, after those that are selected without having been found. */
export function choicesOf(
  found: readonly FoundTable[],
  selected: readonly string[],
): TableChoice[] {
  const known = new Set(found.map(({ table }) => table));
  const others = selected.filter((table) => !known.has(table));
  return [
    ...others.map((table) => ({ table, found: null })),
    ...found.map((one) => ({ table: one.table, found: one })),
  ];
}

/** Those whose name has the text. */
export function matching(choices: readonly TableChoice[], text: string): TableChoice[] {
  const wanted = text.trim().toLowerCase();
  return choices.filter(({ table }) => table.toLowerCase().includes(wanted));
}

/** Whether a table can be followed, as far as that is known. */
export function canFollow({ found }: TableChoice): boolean {
  return found === null || found.findings.length === 0;
}

/** How many rows a table has, about, and by which columns its records are known. */
export function tableText({ found }: TableChoice): string {
  if (found === null) return '';
  const { estimated_rows: rows, key } = found;
  const size = rows === null ? 'rows not counted' : `about ${amount(rows, 'row')}`;
  return key.length === 0 ? size : `${size}, key ${key.join(', ')}`;
}

/** How many of the tables that were found can be followed, in a sentence. */
export function foundText(found: readonly FoundTable[]): string {
  const able = found.filter(({ findings }) => findings.length === 0).length;
  if (found.length === 0) return 'Its role can see no table.';
  const all = `${found.length >= MOST_LISTED ? 'the first ' : ''}${amount(found.length, 'table')}`;
  if (able === found.length) {
    return found.length === 1
      ? 'Its only table can be followed.'
      : `All of ${all} can be followed.`;
  }
  return `${able === 0 ? 'None' : number(able)} of ${all} can be followed.`;
}

/** What will be read, in a sentence: how many tables, and about how many rows. */
export function readText(choices: readonly TableChoice[]): string {
  const rows = choices.map(({ found }) => found?.estimated_rows ?? null);
  const known = rows.filter((one) => one !== null);
  const sum = known.reduce((all, one) => all + one, 0);
  const size =
    known.length === 0
      ? ''
      : `, ${known.length < rows.length ? 'more than ' : 'about '}${amount(sum, 'row')}`;
  return `${amount(choices.length, 'table')}${size}: ${listed(
    choices.map(({ table }) => table),
    5,
  )}`;
}

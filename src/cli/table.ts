export interface Column<T> {
  title: string;
  of: (row: T) => string | number | null | undefined;
  /** Numbers stand at the right. */
  right?: boolean;
}

const GAP = '  ';

/** Aligned columns under their titles; lines are cut at `width` characters. Empty for no rows. */
export function formatTable<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  width = Infinity,
): string[] {
  if (rows.length === 0) return [];
  const cells = rows.map((row) => columns.map((column) => printable(column.of(row))));
  const lines = [columns.map(({ title }) => title), ...cells];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => widthOf(line[index]!))));
  return lines.map((line) =>
    cut(
      line
        .map((cell, index) => pad(cell, widths[index]!, columns[index]!.right === true))
        .join(GAP)
        .trimEnd(),
      width,
    ),
  );
}

/** `name: value` lines, aligned. */
export function formatDetails(fields: readonly (readonly [string, unknown])[]): string[] {
  const width = Math.max(0, ...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${name.padEnd(width)}${GAP}${printable(value)}`.trimEnd());
}

/** A value as one line of text that can do nothing to a terminal. */
export function printable(value: unknown): string {
  if (value === null || value === undefined) return '–';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, ' ');
}

/** At most `width` characters, the last an ellipsis where something is left out. */
export function cut(text: string, width: number): string {
  if (text.length <= width) return text;
  const characters = Array.from(text);
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`;
}

function pad(text: string, width: number, right: boolean): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)));
  return right ? blanks + text : text + blanks;
}

/** In code points: near enough for names and ids. */
function widthOf(text: string): number {
  return Array.from(text).length;
}

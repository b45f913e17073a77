/** One column of a table. */
export interface Column<T> {
  title: string;
  of: (row: T) => string | number | null | undefined;
  /** Whether it is aligned to the right, as numbers are. */
  right?: boolean;
}

const GAP = '  ';

/** Formats rows as aligned columns under titles, cut at `width` characters; empty without rows. */
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

/** Formats fields as lines of names and values, aligned. */
export function formatDetails(fields: readonly (readonly [string, unknown])[]): string[] {
  const width = Math.max(0, ...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${name.padEnd(width)}${GAP}${printable(value)}`.trimEnd());
}

/** Prints a value as one line of text without characters that could control a terminal. */
export function printable(value: unknown): string {
  if (value === null || value === undefined) return '–';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, ' ');
}

/** Cuts a text at `width` characters; the last one is then an ellipsis. */
export function cut(text: string, width: number): string {
  if (text.length <= width) return text;
  const characters = Array.from(text);
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`;
}

function pad(text: string, width: number, right: boolean): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)));
  return right ? blanks + text : text + blanks;
}

/** Counts code points, which is precise enough for names and ids. */
function widthOf(text: string): number {
  return Array.from(text).length;
}

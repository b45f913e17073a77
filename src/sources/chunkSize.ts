const ROWS = { unknown: 20, most: 5_000 };
/** As many bytes of rows are read at a time, so that a few chunks fit into memory whatever the rows are. */
const BYTES = 4 * 1024 * 1024;
/** A chunk is at most so many times as large as the one before, whose rows may have been small ones. */
const GROWTH = 4;

/** How many rows to read first of a table whose rows have so many bytes on average; null when that is not known. */
export function firstChunkRows(rowBytes: number | null): number {
  return rowBytes === null ? ROWS.unknown : fitting(rowBytes);
}

/** How many rows to read next, after so many that had so many characters. */
export function nextChunkRows(read: { rows: number; characters: number }): number {
  if (read.rows === 0) return ROWS.unknown;
  return Math.min(fitting(read.characters / read.rows), GROWTH * read.rows);
}

function fitting(rowBytes: number): number {
  return Math.max(1, Math.min(Math.floor(BYTES / Math.max(1, rowBytes)), ROWS.most));
}

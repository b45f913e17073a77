import type { RowChange } from './rowChange.ts';

/** How far the rows of a table have been read, as it is stored with what they brought. */
export interface TableProgress {
  /** The columns by which its records are known. */
  key: readonly string[];
  /** Which of the readings that were asked for this is. */
  snapshot: number;
  /** `closing`: everything is read, and records that have not come are still to be deleted. */
  phase: 'reading' | 'closing' | 'done';
  /** How often it has been gone through in this reading; 1 at first. */
  sweep: number;
  /** The key's texts in the last row that is stored of this sweep; null before the first one. */
  after: readonly string[] | null;
  /** The pass to whose end records that have not come are deleted; null: there is none to delete. */
  pass: string | null;
  /** The rows that have been read. */
  rows: number;
  /**
   * The ids of records that may lack large values: their rows got their key while what they had before was not read yet,
   * perhaps at a place that had been read already. Null: too many to list. As long as there are any, another sweep
   * follows.
   */
  unsure: ReadonlySet<string> | null;
  /** Whether all other records have all their values. */
  isSure: boolean;
}

/** More ids are not listed. */
const MOST_UNSURE = 500;
const MOST_UNSURE_CHARACTERS = 100_000;

/** The beginning of a reading. */
export function beginReading(
  from: Pick<TableProgress, 'key' | 'snapshot' | 'pass'>,
): TableProgress {
  return {
    ...from,
    phase: 'reading',
    sweep: 1,
    after: null,
    rows: 0,
    unsure: new Set(),
    isSure: false,
  };
}

/** What a change in the log means for a table of which rows are still to be read. */
export function afterChange(progress: TableProgress, change: RowChange): TableProgress {
  if (progress.phase !== 'reading') return progress;
  const { unsure } = progress;
  const id = change.upstreamId;
  if (change.movedFrom !== null && mayLack(progress, change.movedFrom))
    return withUnsure(progress, id);
  const isWhole = change.deleted || !change.merge || change.movedFrom !== null;
  return isWhole && unsure?.has(id) === true ? withoutUnsure(progress, [id]) : progress;
}

/** Once nothing is to be deleted in the end any more, as a later pass has begun. */
export function withoutPass(progress: TableProgress): TableProgress {
  const { phase } = progress;
  return { ...progress, phase: phase === 'closing' ? 'done' : phase, pass: null };
}

/** After a truncation: nothing is left that could lack anything, or be deleted by a pass. */
export function afterTruncation(progress: TableProgress): TableProgress {
  return { ...withoutPass(progress), unsure: new Set() };
}

/** What was read of a table at a time. */
export interface StoredChunk {
  /** The ids of its rows, those left out of which the log has had more. */
  ids: readonly string[];
  rows: number;
  /** From where the next one goes on; null when this was the last. */
  last: readonly string[] | null;
}

/** After rows that were read are stored. At the end of a sweep another one begins if records may lack something. */
export function afterChunk(progress: TableProgress, chunk: StoredChunk): TableProgress {
  const known = withoutUnsure(progress, chunk.ids);
  const next = { ...known, rows: known.rows + chunk.rows, after: chunk.last };
  if (chunk.last !== null) return next;
  const { unsure } = next;
  if (unsure?.size === 0) return { ...next, phase: next.pass === null ? 'done' : 'closing' };
  return {
    ...next,
    sweep: next.sweep + 1,
    isSure: unsure !== null,
    unsure: unsure ?? new Set(),
  };
}

/** After the records that have not come are deleted. */
export function afterClosing(progress: TableProgress): TableProgress {
  return { ...progress, phase: 'done', pass: null };
}

/** The text that is stored. */
export function formatProgress({ unsure, ...rest }: TableProgress): string {
  return JSON.stringify({ ...rest, unsure: unsure === null ? null : [...unsure] });
}

/** Reads that text; null for a table that is not of the source any more. */
export function parseProgress(text: string): TableProgress | null {
  if (text === NO_PROGRESS) return null;
  const { unsure, ...rest } = JSON.parse(text) as Omit<TableProgress, 'unsure'> & {
    unsure: string[] | null;
  };
  return { ...rest, unsure: unsure === null ? null : new Set(unsure) };
}

/** What is stored of a table that is not of the source any more. */
export const NO_PROGRESS = '';

function mayLack({ isSure, unsure }: TableProgress, id: string): boolean {
  return !isSure || unsure === null || unsure.has(id);
}

function withUnsure(progress: TableProgress, id: string): TableProgress {
  const { unsure } = progress;
  if (unsure === null || unsure.has(id)) return progress;
  const more = new Set(unsure).add(id);
  let characters = 0;
  for (const one of more) characters += one.length;
  const isTooMuch = more.size > MOST_UNSURE || characters > MOST_UNSURE_CHARACTERS;
  return { ...progress, unsure: isTooMuch ? null : more };
}

function withoutUnsure(progress: TableProgress, ids: readonly string[]): TableProgress {
  const { unsure } = progress;
  if (unsure === null || unsure.size === 0 || !ids.some((id) => unsure.has(id))) return progress;
  return { ...progress, unsure: unsure.difference(new Set(ids)) };
}

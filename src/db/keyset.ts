import { isId } from './ids.ts';

/** A place in a list that is sorted newest first. */
export interface ListPlace {
  /** RFC 3339, with all digits of the stored time. */
  at: string;
  id: string;
}

/** One page of a list. */
export interface ListPage<T> {
  data: T[];
  /** Where the next page begins; null at the end. */
  next: ListPlace | null;
}

/** The opaque text of a place in a list, which `readPlace` reads. */
export function textOfPlace(key: ListPlace): string {
  return Buffer.from(`${key.at} ${key.id}`).toString('base64url');
}

/** Reads what `textOfPlace` wrote; null for any other text. */
export function readPlace(text: string): ListPlace | null {
  const [at = '', id = '', ...rest] = Buffer.from(text, 'base64url').toString('utf8').split(' ');
  return isStoredTime(at) && isId(id) && rest.length === 0 ? { at, id } : null;
}

/** Whether a text is RFC 3339 in UTC with at most the digits of a stored time. */
export function isStoredTime(text: string): boolean {
  const isFormed = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/u.test(text);
  return isFormed && !Number.isNaN(Date.parse(text));
}

/** Makes a page from rows of which `limit` + 1 were selected: the additional row shows that more follow. */
export function toPage<T>(rows: T[], limit: number, keyOf: (row: T) => ListPlace): ListPage<T> {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  return { data, next: rows.length > limit && last !== undefined ? keyOf(last) : null };
}

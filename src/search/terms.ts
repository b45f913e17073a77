import { literally } from '../db/listSql.ts';

/** A range of UUIDs, both ends included. */
export interface IdRange {
  from: string;
  to: string;
}

const LOWEST = '00000000-0000-0000-0000-000000000000';
const HIGHEST = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
/** A shorter text is too short to be meant as the beginning of an id. */
const LEAST = 4;

const LONGEST_NAME = 255;

/** The range of UUIDs that begin with a text; null when none does, or when it is shorter than 4 characters. */
export function idsFrom(text: string): IdRange | null {
  const begun = text.toLowerCase();
  if (begun.length < LEAST || begun.length > LOWEST.length) return null;
  const from = begun + LOWEST.slice(begun.length);
  return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/u.test(from)
    ? { from, to: begun + HIGHEST.slice(begun.length) }
    : null;
}

/** The LIKE pattern for values that begin with a text. */
export function beginningWith(text: string): string {
  return `${literally(text)}%`;
}

/**
 * The text query of Postgres for names in which a word begins with each word of a text; null when no word of it
 * has a letter or a digit, or one is longer than any name, which Postgres might refuse.
 */
export function wordsFrom(text: string): string | null {
  const words = text.split(/\s+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  if (words.length === 0 || words.some((word) => word.length > LONGEST_NAME)) return null;
  return words.map((word) => `'${word.replaceAll(/['\\]/gu, '$&$&')}':*`).join(' & ');
}

/** When an id made by Millrace was made, unix ms; null for a text that is not a UUIDv7. */
export function madeAt(id: string): number | null {
  const [, high, low] =
    /^([\da-f]{8})-([\da-f]{4})-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/iu.exec(id) ?? [];
  return high === undefined || low === undefined ? null : Number.parseInt(high + low, 16);
}

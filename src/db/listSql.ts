import type { ListPlace } from './keyset.ts';

/** Adds a value to those of a statement, and returns its parameter. */
export type Bind = (value: unknown) => string;

/** A text as it stands for itself in a pattern of LIKE. */
export function literally(text: string): string {
  return text.replaceAll(/[\\%_]/gu, String.raw`\$&`);
}

/**
 * The condition that a text is a part of the id or of what `others` compare with `like`, in upper or lower case. The id
 * is looked at only where the text may be in one.
 */
export function contains(text: string, bind: Bind, others: (like: string) => string[]): string {
  const like = `ilike ${bind(`%${literally(text)}%`)}`;
  const any = others(like);
  if (/^[\da-f-]+$/iu.test(text)) any.push(`id::text ${like}`); // other characters occur in no id
  return `(${any.join(' or ')})`;
}

/** The condition for the rows after a place, in a list that is sorted newest first. */
export function isAfter({ at, id }: ListPlace, bind: Bind): string {
  return `(created_at, id) < (${bind(at)}::timestamptz, ${bind(id)}::uuid)`;
}

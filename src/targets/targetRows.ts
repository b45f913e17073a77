import type { ListPlace } from '../db/keyset.ts';

/** Which targets to list. */
export interface TargetQuery {
  /** A part of the name, the base URL or the id, in upper or lower case. */
  q?: string | undefined;
  limit: number;
  after: ListPlace | null;
}

/**
 * The statement for the rows of a page of targets, newest first, and of one more. It walks the index
 * `targets_newest` and stops at the limit.
 */
export function targetRows(query: TargetQuery): { text: string; values: unknown[] } {
  const values: unknown[] = [query.limit + 1];
  const conditions: string[] = [];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  if (query.after !== null) {
    conditions.push(
      `(created_at, id) < (${bind(query.after.at)}::timestamptz, ${bind(query.after.id)}::uuid)`,
    );
  }
  if (query.q !== undefined) {
    const pattern = `%${query.q.replaceAll(/[\\%_]/gu, String.raw`\$&`)}%`;
    const like = `ilike ${bind(pattern)}`;
    const any = [`name ${like}`, `base_url ${like}`];
    if (/^[\da-f-]+$/iu.test(query.q)) any.push(`id::text ${like}`); // other characters occur in no id
    conditions.push(`(${any.join(' or ')})`);
  }
  return {
    text: `
      select * from targets
       ${conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`}
       order by created_at desc, id desc
       limit $1`,
    values,
  };
}

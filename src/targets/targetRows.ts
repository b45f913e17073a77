import type { ListPlace } from '../db/keyset.ts';
import { contains, isAfter, type Bind } from '../db/listSql.ts';

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
  const bind: Bind = (value) => `$${values.push(value)}`;
  if (query.after !== null) conditions.push(isAfter(query.after, bind));
  if (query.q !== undefined) {
    conditions.push(contains(query.q, bind, (like) => [`name ${like}`, `base_url ${like}`]));
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

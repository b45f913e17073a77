import type { Sql } from '../db/db.ts';

/** Whether a sender (rows `c`) has not confirmed the newest version of its target (rows `t`). */
export const HAS_OLDER_TARGET = `
  (c.seen_target_id is distinct from t.id or c.seen_target_version is distinct from t.version)`;

/**
 * The consumers whose senders go by an older version of their consumer or of its target, of all processes: one
 * statement, so that a change of one target has those store that use it, and not all senders of a process.
 */
export async function outdatedSenders(sql: Sql): Promise<Set<string>> {
  const { rows } = await sql.query<{ id: string }>({
    name: 'outdated senders',
    text: `
      select k.id
        from cursors c
        join consumers k on k.id = c.consumer_id
        join targets t on t.id = k.target_id
       where c.holder is not null and k.deleted_at is null
         and (c.seen_version < k.version or ${HAS_OLDER_TARGET})`,
  });
  return new Set(rows.map(({ id }) => id));
}

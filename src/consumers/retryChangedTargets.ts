import type { Logger } from 'pino';

import type { Sql } from '../db/db.ts';
import type { Commands } from './commands.ts';

const AT_ONCE = 100;

/**
 * Makes blocked consumers try immediately whose target has changed since their last attempt, or is
 * another one, but not before a Retry-After of the same place has passed. The rows show which these
 * are, so that no change is forgotten when a process dies; each change causes one retry.
 */
export function createChangedTargetRetry(options: {
  sql: Sql;
  give: Commands['give'];
  log: Logger;
}): () => Promise<void> {
  const given = new Set<string>(); // retries given for changes that have not been tried yet

  async function retarget(): Promise<void> {
    const { rows } = await options.sql.query<{ id: string; edit_id: string }>({
      name: 'retarget',
      text: `
        select k.id, 'target:' || t.id || ':' || t.version as edit_id
          from consumers k
          join cursors c on c.consumer_id = k.id
          join targets t on t.id = k.target_id
         where k.status = 'blocked' and k.deleted_at is null
           and (c.tried_target < t.version or c.tried_target_id <> t.id)
           and (c.asked_until is null or c.asked_until <= clock_timestamp()
                or c.tried_target < t.moved_version or c.tried_target_id <> t.id)
         order by k.id limit ${AT_ONCE}`,
    });
    const due = new Set(rows.map((row) => `${row.id} ${row.edit_id}`));
    for (const one of given) if (!due.has(one)) given.delete(one);
    for (const { id, edit_id } of rows) {
      if (given.has(`${id} ${edit_id}`)) continue;
      given.add(`${id} ${edit_id}`);
      try {
        await options.give(id, { editId: edit_id, actor: 'target', command: { kind: 'retry' } });
      } catch (error) {
        given.delete(`${id} ${edit_id}`);
        options.log.warn(
          { err: error, consumer_id: id },
          'a blocked consumer could not be made to try its changed target yet',
        );
      }
    }
  }

  return retarget;
}

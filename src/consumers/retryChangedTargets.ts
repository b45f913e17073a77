import type { Logger } from 'pino';

import type { Sql } from '../db/db.ts';
import { withConsumers } from '../progress/cursors.ts';
import type { RetryCause } from '../rules/command.ts';
import type { Commands } from './commands.ts';

const AT_ONCE = 100;

/**
 * Makes consumers try immediately whose target was changed or tested since they were last tried, or is another one: those
 * that are blocked, but not before the end of a Retry-After of the same URL, and those that a lasting fault
 * kept from sending. The latter are also tried once by each process that becomes the leader, which may have
 * been started with other encryption keys. The rows show which consumers these are, so that no change is
 * forgotten when a process dies; each change causes one retry.
 */
export function createChangedTargetRetry(options: {
  sql: Sql;
  give: Commands['give'];
  /** Names this process. */
  holder: string;
  log: Logger;
}): () => Promise<void> {
  const { sql, give, holder, log } = options;
  const given = new Set<string>(); // retries given for changes that have not been tried yet
  let seenTo = ''; // up to this id, this process has tried consumers with a fault
  let isFirst = true;

  async function retarget(): Promise<void> {
    const { rows } = await sql.query<Due>({ name: 'retarget', text: CHANGED });
    const due = new Set(rows.map(keyOf));
    for (const one of given) if (!due.has(one)) given.delete(one);
    for (const one of rows) {
      if (given.has(keyOf(one))) continue;
      if (one.tested_by === null) await retry(one, 'target', 'target_changed');
      else await retry(one, one.tested_by, 'target_tested');
    }
    if (isFirst) await retryAllFaulty();
  }

  /** Continues with each turn, a page at a time, until all have been tried. */
  async function retryAllFaulty(): Promise<void> {
    const { rows } = await sql.query<Faulty>({ text: FAULTY, values: [seenTo || null, holder] });
    for (const one of rows) {
      await retry(one, 'millrace', 'new_leader');
      given.delete(keyOf(one));
      seenTo = one.id;
    }
    isFirst = rows.length === AT_ONCE;
  }

  async function retry(one: Faulty, actor: string, because: RetryCause): Promise<void> {
    given.add(keyOf(one));
    try {
      await give(one.id, { editId: one.edit_id, actor, command: { kind: 'retry', because } });
    } catch (error) {
      given.delete(keyOf(one));
      log.warn(
        { err: error, consumer_id: one.id },
        'a consumer could not be retried after a change or a test of its target; trying again',
      );
    }
  }

  return retarget;
}

interface Faulty {
  id: string;
  edit_id: string;
}

interface Due extends Faulty {
  /** Who made the newest version of the target by testing it; null: it is a change. */
  tested_by: string | null;
}

function keyOf({ id, edit_id }: Faulty): string {
  return `${id} ${edit_id}`;
}

const TESTED_BY = 'case when t.tested_version = t.version then t.tested_by end';

/**
 * While a fault keeps a blocked consumer from being tried, the target of its last attempts says nothing. The
 * two kinds are searched for separately, each by an index of its own, because this is asked twice a second,
 * however many healthy consumers there are.
 */
const CHANGED = `
  select * from (
    select k.id, 'target:' || t.id || ':' || t.version as edit_id, ${TESTED_BY} as tested_by
      from start_faults f ${withConsumers('f.consumer_id')}
      join targets t on t.id = k.target_id
     where k.deleted_at is null and k.status in ('active', 'blocked')
       and (f.target_version < t.version or f.target_id <> t.id)
    union all
    select k.id, 'target:' || t.id || ':' || t.version, ${TESTED_BY}
      from consumers k
      join cursors c on c.consumer_id = k.id
      join targets t on t.id = k.target_id
     where k.deleted_at is null and k.status = 'blocked'
       and not exists (select from start_faults f where f.consumer_id = k.id)
       and (c.tried_target < t.version or c.tried_target_id <> t.id)
       and (c.asked_until is null or c.asked_until <= clock_timestamp()
            or c.tried_target < t.moved_version or c.tried_target_id <> t.id)
  ) due order by id limit ${AT_ONCE}`;

const FAULTY = `
  select k.id, 'start:' || $2::text as edit_id
    from start_faults f ${withConsumers('f.consumer_id')}
   where k.deleted_at is null and k.status in ('active', 'blocked')
     and ($1::uuid is null or k.id > $1)
   order by k.id limit ${AT_ONCE}`;

import type { Logger } from 'pino';

import type { Db, Sql } from '../db/db.ts';
import { isDatabaseAway } from '../db/errors.ts';
import { MARK_TOLD } from '../progress/deadLetterRows.ts';
import type { AlertOptions } from './alertItem.ts';
import { TROUBLED, type Troubled } from './troubled.ts';
import { writeAlert } from './writeAlert.ts';

const AT_ONCE = 100;
const HOURS = 24;

/**
 * Creates a function that reports new dead letters: one alert for each consumer, at most one in a
 * 24th of the retry window (an hour). The dead letters that it counts are marked in the same
 * transaction, so that each is reported once.
 */
export function createDeadLetterDigest(
  options: AlertOptions & { db: Db; log: Pick<Logger, 'error'> },
): () => Promise<void> {
  const { db } = options;
  const everyMs = Math.round(options.retryWindowMs / HOURS);

  async function digest(): Promise<void> {
    const { rows } = await db.query<{ id: string }>({
      name: 'digest-due',
      text: `${DUE} limit ${AT_ONCE}`,
      values: [everyMs],
    });
    for (const { id } of rows) {
      try {
        await db.transaction((sql) => tell(sql, id));
      } catch (error) {
        if (isDatabaseAway(error)) throw error;
        // A consumer whose alert fails must not hold up the others; it is tried again.
        options.log.error({ err: error, consumer_id: id }, 'dead letters could not be reported');
      }
    }
  }

  async function tell(sql: Sql, consumerId: string): Promise<void> {
    await sql.query({
      text: 'select from consumers where id = $1 for update',
      values: [consumerId],
    });
    const due = await sql.query({ text: `${DUE_ONE} limit 1`, values: [everyMs, consumerId] });
    if (due.rows.length === 0) return; // another process was first
    const { rows } = await sql.query<Troubled & Counted>({ text: TELL, values: [consumerId] });
    const [found] = rows;
    if (found === undefined) return;
    const { count, total, newest, told_at } = found;
    const reason =
      `${count} ${count === 1 ? 'entry has' : 'entries have'} failed for the whole retry window ` +
      `and ${count === 1 ? 'is a dead letter' : 'are dead letters'} now (${total} in all)`;
    const troubled = { ...found, last_failure: found.letter_failure };
    const alert = { consumerId, reason, at: new Date(told_at), troubled, key: newest };
    await writeAlert(sql, options, { kind: 'dead-letters', ...alert });
  }

  return digest;
}

interface Counted {
  count: number;
  total: number;
  newest: string;
  told_at: string;
  letter_failure: Troubled['last_failure'];
}

const NOT_TOLD_LATELY = `
  not exists (select from alerts a
               where a.consumer_id = k.id and a.kind = 'dead-letters'
                 and a.at > clock_timestamp() - $1 * interval '1 ms')`;

const DUE = `
  select k.id from consumers k
   where k.id in (select consumer_id from dead_letters where not told)
     and k.deleted_at is null and ${NOT_TOLD_LATELY}
   order by k.id`;

const DUE_ONE = `
  select from consumers k
   where k.id = $2 and k.deleted_at is null and ${NOT_TOLD_LATELY}`;

const TELL = `
  with told as (${MARK_TOLD}
  ), newest as (
    select id, last_failure from told order by id desc limit 1
  )
  select ${TROUBLED}, k.failing_since, newest.id as newest, newest.last_failure as letter_failure,
         clock_timestamp() as told_at, (select count(*) from told) as count,
         (select count(*) from dead_letters d where d.consumer_id = $1) as total
    from newest
    join consumers k on k.id = $1
    join cursors c on c.consumer_id = k.id
    join targets t on t.id = k.target_id
    join streams s on s.name = k.stream`;

import type { Sql } from '../db/db.ts';
import type { AlertItem } from './alertItem.ts';
import { matterOf, type Matter } from './alertWords.ts';
import type { Mail } from './mail.ts';
import { isOfSource } from './sourceItem.ts';

/** An SQL condition: the newest alert about consumer k for which this holds is in the mail $2. */
const newestIsHere = (which: string): string => `
  $2 = (select a.message_id from alerts a
         where a.consumer_id = k.id and ${which}
         order by a.at desc, a.id desc limit 1)`;

const STOPPED = `k.status = 'stopped' and ${newestIsHere("a.kind in ('stopped', 'gone')")}`;

/**
 * Whether the warning before this recovery has never been handed to a server: its mail was not, or had
 * left the consumer out, so that the alert has no mail any more.
 */
const WARNING_NEVER_WENT = `
  coalesce((select a.message_id is null
                or o.sent_at is null and o.attempts <= case when o.dropped_at is null then 0 else 1 end
              from alerts a left join outbox o on o.message_id = a.message_id
             where a.consumer_id = k.id and a.kind = 'warning'
             order by a.at desc, a.id desc limit 1), false)`;

/** The condition under which consumer k still has to be reported. Lost events stay lost. */
const HOLDS: Record<Matter, string> = {
  stopped: STOPPED,
  gone: STOPPED,
  warning: `
    k.status = 'blocked' and k.warned_at is not null
    and ${newestIsHere("a.kind = 'warning' and not a.detail ? 'cannot_start'")}`,
  cannotStart: `
    exists (select from start_faults f where f.consumer_id = k.id)
    and ${newestIsHere("a.kind = 'warning' and a.detail ? 'cannot_start'")}`,
  recovered: `not ${WARNING_NEVER_WENT}`,
  'dead-letters': 'exists (select from dead_letters d where d.consumer_id = k.id)',
  aging: 'exists (select from aging g where g.consumer_id = k.id and g.warned_at is not null)',
  lost: 'true',
  certificate: `
    exists (select from targets t join certificate_warnings w on w.target_id = t.id
             where t.id = k.target_id
               and t.client_certificate_shown ->> 'fingerprint' = w.fingerprint)`,
};

/**
 * The items that a mail has to report as things stand now: each consumer once, by its newest alert, without
 * those that were deleted, and without those for which nothing is left to do, because they were resumed, have
 * recovered, or will be reported by a later mail.
 */
export async function stillTrue(
  sql: Sql,
  { kind, items, message_id }: Pick<Mail, 'kind' | 'items' | 'message_id'>,
): Promise<AlertItem[]> {
  if (kind === null || isOfSource(kind)) return items; // written before mails had a kind, or none of consumers
  const matter = matterOf(kind, items[0]);
  const byConsumer = new Map(items.map((item) => [item.consumer_id, item]));
  const { rows } = await sql.query<{ id: string }>({
    text: `
      select k.id from consumers k
       where k.id = any($1) and k.deleted_at is null and $2::text is not null and ${HOLDS[matter]}`,
    values: [[...byConsumer.keys()], message_id],
  });
  const holds = new Set(rows.map(({ id }) => id));
  return [...byConsumer.values()].filter((item) => holds.has(item.consumer_id));
}

/**
 * Whether what a mail tells of a source still holds: no newer alert has told more of it, and it has not ended. A
 * recovery holds when the mail of the trouble before it may have been handed to a server.
 */
export async function sourceStillTrue(
  sql: Sql,
  { message_id }: Pick<Mail, 'message_id'>,
): Promise<boolean> {
  const { rows } = await sql.query<{ holds: boolean }>({
    text: `
      select case when a.kind = 'source-recovered'
                  then o.message_id is null or o.sent_at is not null
                       or o.attempts > case when o.dropped_at is null then 0 else 1 end
                  else exists (select from source_episodes e where e.alert_id = a.id) end as holds
        from alerts a
        left join alerts ended on ended.id = (a.detail ->> 'ends')::uuid
        left join outbox o on o.message_id = ended.message_id
       where a.message_id = $1`,
    values: [message_id],
  });
  return rows[0]?.holds ?? false;
}

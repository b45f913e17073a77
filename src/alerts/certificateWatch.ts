import type { Logger } from 'pino';

import { ADVISORY_LOCKS } from '../db/advisoryLocks.ts';
import type { Db, Sql } from '../db/db.ts';
import { isDatabaseAway } from '../db/errors.ts';
import { certificateEnd, WARN_BEFORE_MS } from '../rules/certificateEnd.ts';
import type { AlertItem, AlertOptions } from './alertItem.ts';
import { moment } from './alertWords.ts';
import { sharedMails } from './sharedMails.ts';
import { itemsOf, TROUBLED, type Troubled } from './troubled.ts';
import { writeAlertMails } from './writeAlert.ts';

/** What the watch works with. */
export interface CertificateWatchOptions extends AlertOptions {
  db: Db;
  log: Pick<Logger, 'warn' | 'error'>;
}

/**
 * Creates a function that warns of client certificates which end within 14 days, or have ended: the recipients of each
 * consumer of the target, once for each certificate, in the transaction that notes it. A target without consumers is
 * left until it has one. Any number of processes may call it at the same time.
 */
export function createCertificateWatch({
  db,
  log,
  ...options
}: CertificateWatchOptions): () => Promise<void> {
  async function look(): Promise<void> {
    const { rows } = await db.query<{ id: string }>({
      name: 'watch certificates',
      text: `${DUE} order by t.client_certificate_ends`,
      values: [WARN_BEFORE_MS],
    });
    for (const { id } of rows) {
      try {
        await db.transaction((tx) => tell(tx, id));
      } catch (error) {
        if (isDatabaseAway(error)) throw error;
        // A target whose alert fails must not hold up the others; it is looked at again.
        log.error(
          { err: error, target_id: id },
          'the end of a client certificate could not be told',
        );
      }
    }
  }

  /** Looks again under the lock, because another process may have told of it, or someone may have replaced it. */
  async function tell(tx: Sql, targetId: string): Promise<void> {
    await tx.query(`select pg_advisory_xact_lock(${ADVISORY_LOCKS.watchCertificates})`);
    const found = await tx.query<Due>({
      text: `${DUE} and t.id = $2 for share of t`,
      values: [WARN_BEFORE_MS, targetId],
    });
    const [due] = found.rows;
    if (due === undefined) return;
    const { rows } = await tx.query<Troubled & { id: string }>({
      text: CONSUMERS,
      values: [targetId],
    });
    const at = new Date(due.now);
    const alerts = rows.map(({ id, ...troubled }) => {
      return { consumerId: id, reason: reasonOf(due), at, troubled };
    });
    const items = await itemsOf(tx, alerts, options);
    const told = alerts.map((alert, index) => ({ ...alert, item: items[index] as AlertItem }));
    await writeAlertMails(tx, options, sharedMails('certificate', told, options.alertEmails));
    await tx.query({
      text: `
        insert into certificate_warnings (target_id, fingerprint, told_at) values ($1, $2, $3)
            on conflict (target_id) do update
           set fingerprint = excluded.fingerprint, told_at = excluded.told_at`,
      values: [targetId, due.fingerprint, due.now],
    });
    const what = { target_id: targetId, ends: due.ends, consumers: rows.length };
    log.warn(what, 'people are told that a client certificate ends');
  }

  return look;
}

interface Due {
  id: string;
  subject: string;
  fingerprint: string;
  ends: string;
  now: string;
}

/** The fingerprint says which one it is where several have one name. */
function reasonOf({ subject, fingerprint, ends, now }: Due): string {
  const isOver = certificateEnd(ends, Date.parse(now)) === 'over';
  const name = subject === '' ? 'it' : `"${subject}"`;
  const which = `${name} (its SHA-256 begins with ${fingerprint.slice(0, 23)})`;
  return `${which} ${isOver ? 'ended' : 'ends'} at ${moment(ends)}`;
}

/** The targets whose certificate ends within $1 ms, that have consumers, and of whose certificate nobody was told. */
const DUE = `
  select t.id, t.client_certificate_shown ->> 'subject' as subject,
         t.client_certificate_shown ->> 'fingerprint' as fingerprint,
         t.client_certificate_ends as ends, clock_timestamp() as now
    from targets t
   where t.client_certificate_ends < now() + $1 * interval '1 ms'
     and exists (select from consumers k where k.target_id = t.id and k.deleted_at is null)
     and not exists (select from certificate_warnings w
                      where w.target_id = t.id
                        and w.fingerprint = t.client_certificate_shown ->> 'fingerprint')`;

const CONSUMERS = `
  select k.id, ${TROUBLED}, k.failing_since
    from consumers k
    join cursors c on c.consumer_id = k.id
    join targets t on t.id = k.target_id
    join streams s on s.name = k.stream
   where k.target_id = $1 and k.deleted_at is null
   order by k.created_at, k.id`;

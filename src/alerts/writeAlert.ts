import type { Sql } from '../db/db.ts';
import { newId } from '../db/ids.ts';
import type { AlertKind } from '../schema/alert.ts';
import { itemOf, type Alert, type AlertItem, type AlertOptions } from './alertItem.ts';
import { written } from './alertText.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

/** A minute of the 24 hours: stops of one target within it share a mail. */
export function mailGraceMs(retryWindowMs: number): number {
  return Math.min(MINUTE, Math.round((retryWindowMs * MINUTE) / DAY));
}

/**
 * Writes an alert and puts its mail, and its webhook where there is one, into the outbox, in the
 * caller's transaction. Stops of one target within a minute share a mail where they go to the same
 * people.
 */
export async function writeAlert(sql: Sql, options: AlertOptions, alert: Alert): Promise<void> {
  const { kind, consumerId, at, troubled } = alert;
  const item = itemOf(alert, options.publicUrl);
  const alertId = newId();
  const messageId = `<${kind}.${consumerId}.${alert.key ?? troubled.version}@millrace>`;
  await sql.query({
    text: 'insert into alerts (id, consumer_id, kind, detail, at, message_id) values ($1, $2, $3, $4, $5, $6)',
    values: [alertId, consumerId, kind, JSON.stringify(item), at, messageId],
  });
  const { alert_emails: named } = troubled;
  const recipients = (named.length > 0 ? named : options.alertEmails).toSorted();
  const mail = { alertId, messageId, kind, recipients, targetId: troubled.target_id };
  const stops = kind === 'stopped' || kind === 'gone';
  if (!stops || !(await joinMail(sql, mail, item))) {
    await putMail(sql, mail, item, stops ? mailGraceMs(options.retryWindowMs) : 0);
  }
  if (options.alertWebhook) await putWebhook(sql, mail, item, at);
}

interface MailRow {
  alertId: string;
  messageId: string;
  kind: AlertKind;
  recipients: string[];
  targetId: string;
}

/** Adds to a mail that has not been tried yet; false: there is none. */
async function joinMail(sql: Sql, mail: MailRow, item: AlertItem): Promise<boolean> {
  await sql.query({
    text: `select pg_advisory_xact_lock(hashtextextended('alert mail of ' || $1, 0))`,
    values: [mail.targetId],
  });
  const { rows } = await sql.query<{ id: string; message_id: string; items: AlertItem[] }>({
    text: `
      select id, message_id, items from outbox
       where target_id = $1 and kind = $2 and recipients = $3 and channel = 'mail'
         and items->0->>'reason' = $4
         and sent_at is null and attempts = 0 and next_try_at > clock_timestamp()
       order by created_at desc limit 1 for update`,
    values: [mail.targetId, mail.kind, mail.recipients, item.reason],
  });
  const [found] = rows;
  if (found === undefined) return false;
  const items = [...found.items, item];
  await sql.query({
    text: 'update outbox set items = $2, subject = $3, body = $4, html = $5, headers = $6 where id = $1',
    values: [found.id, ...written(mail.kind, items)],
  });
  await sql.query({
    text: 'update alerts set message_id = $2 where id = $1',
    values: [mail.alertId, found.message_id],
  });
  return true;
}

async function putMail(sql: Sql, mail: MailRow, item: AlertItem, waitMs: number): Promise<void> {
  // Sent by the wall clock: the workflow's may be ahead of it where time is skipped.
  await sql.query({
    text: `
      insert into outbox (id, message_id, alert_id, recipients, kind, target_id, items, subject,
                          body, html, headers, created_at, next_try_at)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, clock_timestamp(),
              clock_timestamp() + $12 * interval '1 ms')`,
    values: [
      newId(),
      mail.messageId,
      mail.alertId,
      mail.recipients,
      mail.kind,
      mail.targetId,
      ...written(mail.kind, [item]),
      waitMs,
    ],
  });
}

async function putWebhook(sql: Sql, mail: MailRow, item: AlertItem, at: Date): Promise<void> {
  const body = { alert: { id: mail.alertId, kind: mail.kind, at: at.toISOString(), ...item } };
  await sql.query({
    text: `
      insert into outbox (id, message_id, alert_id, recipients, channel, kind, subject, body,
                          headers, created_at, next_try_at)
      values ($1, $2, $3, '{}', 'webhook', $4, '', $5, '{}', clock_timestamp(), clock_timestamp())`,
    values: [newId(), mail.alertId, mail.alertId, mail.kind, JSON.stringify(body)],
  });
}

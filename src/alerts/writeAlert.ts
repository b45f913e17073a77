import type { Sql } from '../db/db.ts';
import { newId } from '../db/ids.ts';
import type { AlertKind } from '../schema/alert.ts';
import type { Lost } from './alertItem.ts';
import { mailHtml, mailSubject, mailText } from './alertText.ts';

export interface AlertOptions {
  /** Who gets alerts of consumers that name nobody. */
  alertEmails: string[];
  /** Where people look: links in mails begin with it. */
  publicUrl: string;
  /** The alerts' own webhook is told too. */
  alertWebhook: boolean;
  retryWindowMs: number;
}

/** A consumer as an alert tells of it, of the transaction that writes the alert. */
export interface Troubled {
  name: string;
  alert_emails: string[];
  version: number;
  failing_since: string | null;
  target_id: string;
  target_name: string;
  target_url: string;
  position: number;
  waiting: number;
  last_failure: { code: string; detail: string; at: string } | null;
}

/** What a mail or webhook says of one consumer; with what it lost, where it lost events to retention. */
export interface AlertItem extends Partial<Lost> {
  consumer_id: string;
  name: string;
  /** Why, as the consumer's status says it. */
  reason: string;
  target: string;
  /** Without what may be a secret. */
  endpoint: string;
  failing_since: string | null;
  last_failure: Troubled['last_failure'];
  position: number;
  waiting: number;
  /** Where people look. */
  url: string;
}

/** The columns of `Troubled`, for rows k (consumers), c (cursors), t (targets) and s (streams). */
export const TROUBLED = `
  k.name, k.alert_emails, k.version, t.id as target_id, t.name as target_name,
  t.base_url as target_url, c.position, c.last_failure,
  greatest(0, s.last_position - c.position - cardinality(c.ahead)) as waiting`;

const MINUTE = 60_000;
const DAY = 86_400_000;

/** A minute of the 24 hours: stops of one target within it share a mail. */
export function mailGraceMs(retryWindowMs: number): number {
  return Math.min(MINUTE, Math.round((retryWindowMs * MINUTE) / DAY));
}

export interface Alert {
  kind: AlertKind;
  consumerId: string;
  reason: string;
  at: Date;
  troubled: Troubled;
  /** Makes the Message-ID its own; the consumer's version unless given. */
  key?: string;
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

type Written = [items: string, subject: string, body: string, html: string, headers: string];

/** What a mail's row holds of what it says. */
export function written(kind: AlertKind, items: AlertItem[]): Written {
  const headers = {
    'X-Millrace-Alert': kind === 'retention' ? 'warning' : kind, // readers know five kinds of mail
    'X-Millrace-Consumer': items.map((item) => item.consumer_id).join(', '),
  };
  return [
    JSON.stringify(items),
    mailSubject(kind, items),
    mailText(kind, items),
    mailHtml(kind, items),
    JSON.stringify(headers),
  ];
}

/** What is said of one consumer. */
export function itemOf(
  { consumerId, reason, troubled }: Pick<Alert, 'consumerId' | 'reason' | 'troubled'>,
  publicUrl: string,
): AlertItem {
  const { origin, pathname } = new URL(troubled.target_url); // the rest often carries keys
  return {
    consumer_id: consumerId,
    name: troubled.name,
    reason,
    target: troubled.target_name,
    endpoint: `${origin}${pathname}`,
    failing_since: troubled.failing_since,
    last_failure: troubled.last_failure,
    position: troubled.position,
    waiting: troubled.waiting,
    url: `${publicUrl}/consumers/${consumerId}`,
  };
}

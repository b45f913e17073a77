import type { Sql } from './db.ts';
import { newId } from './ids.ts';
import { mailHtml, mailSubject, mailText, type MailInput } from './mailText.ts';

export type AlertKind = 'warning' | 'stopped' | 'gone' | 'recovered';

export interface AlertOptions {
  /** Who gets alerts of consumers that name nobody. */
  alertEmails: string[];
  /** Where people look: links in mails begin with it. */
  publicUrl: string;
}

/** A consumer as an alert tells of it, of the transaction that writes the alert. */
export interface Troubled {
  name: string;
  alert_emails: string[];
  version: number;
  failing_since: string | null;
  target_name: string;
  target_url: string;
  position: number;
  waiting: number;
  last_failure: { code: string; detail: string; at: string } | null;
}

/** The columns of `Troubled`, for rows k (consumers), c (cursors), t (targets) and s (streams). */
export const TROUBLED = `
  k.name, k.alert_emails, k.version, t.name as target_name, t.base_url as target_url, c.position,
  c.last_failure, greatest(0, s.last_position - c.position - cardinality(c.ahead)) as waiting`;

/** Writes an alert and puts its mail into the outbox, in the caller's transaction. */
export async function writeAlert(
  sql: Sql,
  options: AlertOptions,
  alert: { kind: AlertKind; consumerId: string; reason: string; at: Date; troubled: Troubled },
): Promise<void> {
  const { kind, consumerId, at, troubled } = alert;
  const alertId = newId();
  const { failing_since, position, last_failure } = troubled;
  await sql.query({
    text: 'insert into alerts (id, consumer_id, kind, detail, at) values ($1, $2, $3, $4, $5)',
    values: [
      alertId,
      consumerId,
      kind,
      JSON.stringify({ failing_since, position, last_failure }),
      at,
    ],
  });
  const input: MailInput = { ...alert, publicUrl: options.publicUrl };
  const { alert_emails: named } = troubled;
  // Sent by the wall clock: the workflow's may be ahead of it where time is skipped.
  await sql.query({
    text: `
      insert into outbox (id, message_id, alert_id, recipients, subject, body, html, headers, created_at,
                          next_try_at)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp())`,
    values: [
      newId(),
      `<${kind}.${consumerId}.${troubled.version}@millrace>`,
      alertId,
      named.length > 0 ? named : options.alertEmails,
      mailSubject(input),
      mailText(input),
      mailHtml(input),
      JSON.stringify({ 'X-Millrace-Alert': kind, 'X-Millrace-Consumer': consumerId }),
      at,
    ],
  });
}

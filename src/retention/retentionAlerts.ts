import {
  type Lost,
  itemOf,
  type AlertItem,
  type AlertOptions,
  type Troubled,
} from '../alerts/alertItem.ts';
import { written } from '../alerts/alertText.ts';
import type { Sql } from '../db/db.ts';
import { newId } from '../db/ids.ts';

/** A consumer that has lost events to retention or, without `lost`, is about to. */
export interface RetentionAlert {
  consumerId: string;
  reason: string;
  at: Date;
  troubled: Troubled;
  lost?: Lost;
}

/** Consumers that one mail tells of. */
const A_MAIL = 100;

/**
 * Writes alerts of retention, and their mails and webhooks into the outbox, set-based, in the
 * caller's transaction. Consumers of one target share mails where they go to the same people.
 * Tell of losses and of what is about to be lost in calls of their own.
 */
export async function writeRetentionAlerts(
  sql: Sql,
  options: AlertOptions,
  alerts: RetentionAlert[],
): Promise<void> {
  const mails = [...grouped(alerts, options.alertEmails)].flatMap(inMails);
  await insertAlerts(sql, mails, options);
  await insertMails(sql, mails, options);
  if (options.alertWebhook) await insertWebhooks(sql, mails, options);
}

interface Told extends RetentionAlert {
  id: string;
}

interface Mail {
  messageId: string;
  recipients: string[];
  told: Told[];
}

interface Group {
  recipients: string[];
  alerts: RetentionAlert[];
}

/** By target and by who is told. */
function grouped(alerts: RetentionAlert[], byDefault: string[]): Iterable<Group> {
  const groups = new Map<string, Group>();
  for (const alert of alerts) {
    const { alert_emails: named, target_id: target } = alert.troubled;
    const recipients = (named.length > 0 ? named : byDefault).toSorted();
    const key = [target, ...recipients].join(' ');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { recipients, alerts: [alert] });
    else group.alerts.push(alert);
  }
  return groups.values();
}

function inMails({ recipients, alerts }: Group): Mail[] {
  return Array.from({ length: Math.ceil(alerts.length / A_MAIL) }, (_, index) => {
    const part = alerts.slice(index * A_MAIL, (index + 1) * A_MAIL);
    const told = part.map((alert) => ({ ...alert, id: newId() }));
    // Not by position or version: a consumer that was put back may come to the same place again.
    const messageId = `<retention.${told[0]?.consumerId}.${told[0]?.id}@millrace>`;
    return { messageId, recipients, told };
  });
}

function itemsOf({ told }: Mail, { publicUrl }: AlertOptions): AlertItem[] {
  return told.map((alert) => ({ ...itemOf(alert, publicUrl), ...alert.lost }));
}

async function insertAlerts(sql: Sql, mails: Mail[], options: AlertOptions): Promise<void> {
  const rows = mails.flatMap((mail) => {
    const items = itemsOf(mail, options);
    return mail.told.map(({ id, consumerId, at }, index) => ({
      id,
      consumer_id: consumerId,
      detail: items[index],
      at,
      message_id: mail.messageId,
    }));
  });
  await sql.query({
    text: `
      insert into alerts (id, consumer_id, kind, detail, at, message_id)
      select id, consumer_id, 'retention', detail, at, message_id
        from json_to_recordset($1) as a(id uuid, consumer_id uuid, detail jsonb, at timestamptz,
                                        message_id text)`,
    values: [JSON.stringify(rows)],
  });
}

async function insertMails(sql: Sql, mails: Mail[], options: AlertOptions): Promise<void> {
  const rows = mails.map((mail) => {
    const [items, subject, body, html, headers] = written('retention', itemsOf(mail, options));
    return {
      id: newId(),
      message_id: mail.messageId,
      alert_id: mail.told[0]?.id,
      recipients: mail.recipients,
      target_id: mail.told[0]?.troubled.target_id,
      items,
      subject,
      body,
      html,
      headers,
    };
  });
  await sql.query({
    text: `
      insert into outbox (id, message_id, alert_id, recipients, kind, target_id, items, subject,
                          body, html, headers, created_at, next_try_at)
      select id, message_id, alert_id, recipients, 'retention', target_id, items::json, subject,
             body, html, headers::jsonb, clock_timestamp(), clock_timestamp()
        from json_to_recordset($1) as m(id uuid, message_id text, alert_id uuid, recipients text[],
                                        target_id uuid, items text, subject text, body text,
                                        html text, headers text)`,
    values: [JSON.stringify(rows)],
  });
}

async function insertWebhooks(sql: Sql, mails: Mail[], options: AlertOptions): Promise<void> {
  const rows = mails.flatMap((mail) => {
    const items = itemsOf(mail, options);
    return mail.told.map(({ id, at }, index) => ({
      id: newId(),
      alert_id: id,
      body: JSON.stringify({
        alert: { id, kind: 'retention', at: at.toISOString(), ...items[index] },
      }),
    }));
  });
  await sql.query({
    text: `
      insert into outbox (id, message_id, alert_id, recipients, channel, kind, subject, body,
                          headers, created_at, next_try_at)
      select id, alert_id::text, alert_id, '{}', 'webhook', 'retention', '', body, '{}',
             clock_timestamp(), clock_timestamp()
        from json_to_recordset($1) as w(id uuid, alert_id uuid, body text)`,
    values: [JSON.stringify(rows)],
  });
}

import type { AlertItem, AlertOptions, Lost } from '../alerts/alertItem.ts';
import { CONSUMERS_IN_A_MAIL } from '../alerts/outboxRows.ts';
import { itemsOf, type Troubled } from '../alerts/troubled.ts';
import { recipientsOf, writeAlertMails, type AlertMail } from '../alerts/writeAlert.ts';
import type { Sql } from '../db/db.ts';
import { newId } from '../db/ids.ts';

/** A consumer that has lost events to retention or, without `lost`, is about to lose some. */
export interface RetentionAlert {
  consumerId: string;
  reason: string;
  at: Date;
  troubled: Troubled;
  lost?: Lost;
}

/**
 * Writes alerts about retention, and puts their mails and webhooks into the outbox, in the caller's
 * transaction. Consumers of one target share mails if they have the same recipients. Report losses
 * and imminent losses in separate calls.
 */
export async function writeRetentionAlerts(
  sql: Sql,
  options: AlertOptions,
  alerts: RetentionAlert[],
): Promise<void> {
  const items = await itemsOf(sql, alerts, options);
  const told = alerts.map((alert, index) => ({ ...alert, item: items[index] as AlertItem }));
  const groups = [...grouped(told, options.alertEmails)];
  await writeAlertMails(sql, options, groups.flatMap(inMails));
}

type Described = RetentionAlert & { item: AlertItem };

/** Alerts that may share mails; there is at least one. */
interface Group {
  targetId: string;
  recipients: string[];
  alerts: Described[];
}

/** Groups alerts by target and recipients. */
function grouped(alerts: Described[], byDefault: string[]): Iterable<Group> {
  const groups = new Map<string, Group>();
  for (const alert of alerts) {
    const targetId = alert.troubled.target_id;
    const recipients = recipientsOf(alert.troubled, byDefault);
    const key = [targetId, ...recipients].join(' ');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { targetId, recipients, alerts: [alert] });
    else group.alerts.push(alert);
  }
  return groups.values();
}

function inMails({ targetId, recipients, alerts }: Group): AlertMail[] {
  return Array.from({ length: Math.ceil(alerts.length / CONSUMERS_IN_A_MAIL) }, (_, index) => {
    const part = alerts.slice(index * CONSUMERS_IN_A_MAIL, (index + 1) * CONSUMERS_IN_A_MAIL);
    const told = part.map((alert) => ({
      id: newId(),
      consumerId: alert.consumerId,
      at: alert.at,
      item: { ...alert.item, ...alert.lost },
    }));
    // Neither position nor version would make it unique: after a seek a consumer may come to the same position
    // again.
    const messageId = `<retention.${told[0]?.consumerId}.${told[0]?.id}@millrace>`;
    return { messageId, kind: 'retention', recipients, targetId, alerts: told };
  });
}

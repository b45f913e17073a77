import type { AlertItem, AlertOptions, Lost } from '../alerts/alertItem.ts';
import { sharedMails } from '../alerts/sharedMails.ts';
import { itemsOf, type Troubled } from '../alerts/troubled.ts';
import { writeAlertMails } from '../alerts/writeAlert.ts';
import type { Sql } from '../db/db.ts';

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
  const told = alerts.map((alert, index) => ({
    ...alert,
    item: { ...(items[index] as AlertItem), ...alert.lost },
  }));
  await writeAlertMails(sql, options, sharedMails('retention', told, options.alertEmails));
}

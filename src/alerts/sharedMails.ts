import { newId } from '../db/ids.ts';
import type { ConsumerAlertKind } from '../schema/alert.ts';
import type { AlertItem } from './alertItem.ts';
import { CONSUMERS_IN_A_MAIL } from './outboxRows.ts';
import type { Troubled } from './troubled.ts';
import { recipientsOf, type AlertMail } from './writeAlert.ts';

/** An alert about one consumer that is described. */
export interface DescribedAlert {
  consumerId: string;
  at: Date;
  troubled: Troubled;
  item: AlertItem;
}

/**
 * The mails for alerts of one kind that are written together: consumers of one target share mails if they have the same
 * recipients, up to a hundred in each.
 */
export function sharedMails(
  kind: ConsumerAlertKind,
  alerts: readonly DescribedAlert[],
  byDefault: string[],
): AlertMail[] {
  return [...grouped(alerts, byDefault)].flatMap((group) => inMails(kind, group));
}

/** Alerts that may share mails; there is at least one. */
interface Group {
  targetId: string;
  recipients: string[];
  alerts: DescribedAlert[];
}

/** Groups alerts by target and recipients. */
function grouped(alerts: readonly DescribedAlert[], byDefault: string[]): Iterable<Group> {
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

function inMails(kind: ConsumerAlertKind, { targetId, recipients, alerts }: Group): AlertMail[] {
  return Array.from({ length: Math.ceil(alerts.length / CONSUMERS_IN_A_MAIL) }, (_, index) => {
    const part = alerts.slice(index * CONSUMERS_IN_A_MAIL, (index + 1) * CONSUMERS_IN_A_MAIL);
    const told = part.map(({ consumerId, at, item }) => ({ id: newId(), consumerId, at, item }));
    // Neither position nor version would make it unique: after a seek a consumer may come to the same position
    // again.
    const messageId = `<${kind}.${told[0]?.consumerId}.${told[0]?.id}@millrace>`;
    return { messageId, kind, recipients, targetId, alerts: told };
  });
}

import type { Sql } from '../db/db.ts';
import { newId } from '../db/ids.ts';
import type { AlertKind, ConsumerAlertKind, SourceAlertKind } from '../schema/alert.ts';
import type { AlertItem, AlertOptions } from './alertItem.ts';
import { joinMail, putMails, putSourceMail, putWebhooks, type NewMail } from './outboxRows.ts';
import type { SourceItem } from './sourceItem.ts';
import { itemsOf, type Alert } from './troubled.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

/** The time within which alerts about one target share a mail, ms: a minute, or less if the window is shorter. */
export function mailGraceMs(retryWindowMs: number): number {
  return Math.min(MINUTE, Math.round((retryWindowMs * MINUTE) / DAY));
}

/**
 * Writes an alert and puts its mail, and its webhook if there is one, into the outbox, in the caller's
 * transaction. Warnings of one target within a minute share a mail if they have the same recipients, and so do
 * stops, recoveries, and alerts about consumers that the same fault keeps from sending. If the fault belongs to
 * none of the targets, consumers of all targets share a mail.
 */
export async function writeAlert(sql: Sql, options: AlertOptions, alert: Alert): Promise<void> {
  const { kind, consumerId, at, troubled } = alert;
  const messageId = `<${kind}.${consumerId}.${alert.key ?? troubled.version}@millrace>`;
  const [described] = await itemsOf(sql, [alert], options);
  if (described === undefined) throw new Error('an alert is about one consumer');
  const item = { ...described, ...retriesOf(alert, options.retryWindowMs) };
  const told: AlertMail = {
    messageId,
    kind,
    recipients: recipientsOf(troubled, options.alertEmails),
    targetId: troubled.target_id,
    spansTargets: alert.spansTargets === true,
    alerts: [{ id: newId(), consumerId, at, item }],
  };
  await insertAlerts(sql, [told]);
  // A failure of one consumer of a target often concerns them all.
  const isShared = kind !== 'dead-letters';
  const mail = toMail(told, isShared ? mailGraceMs(options.retryWindowMs) : 0);
  const joined = isShared ? await joinMail(sql, mail) : null;
  if (joined === null) await putMails(sql, [mail]);
  else await setMessageId(sql, mail.alertId, joined);
  if (options.alertWebhook) await putWebhooks(sql, webhooksOf([told]));
}

/** Until when a failing endpoint is retried, from the first failure on. */
function retriesOf(
  { kind, troubled, cannotStart }: Alert,
  retryWindowMs: number,
): Pick<AlertItem, 'retries_until'> {
  const { failing_since: since } = troubled;
  if (kind !== 'warning' || cannotStart !== undefined || since === null) return {};
  return { retries_until: new Date(Date.parse(since) + retryWindowMs).toISOString() };
}

/** Alerts of one kind and target that share a mail. */
export interface AlertMail {
  messageId: string;
  kind: ConsumerAlertKind;
  recipients: string[];
  targetId: string;
  /** Whether it may be shared by consumers of other targets. */
  spansTargets?: boolean;
  /** The alerts; there is at least one. */
  alerts: { id: string; consumerId: string; at: Date; item: AlertItem }[];
}

/** Writes alerts and puts their mails and webhooks into the outbox, in the caller's transaction. */
export async function writeAlertMails(
  sql: Sql,
  options: AlertOptions,
  mails: AlertMail[],
): Promise<void> {
  await insertAlerts(sql, mails);
  await putMails(
    sql,
    mails.map((mail) => toMail(mail, 0)),
  );
  if (options.alertWebhook) await putWebhooks(sql, webhooksOf(mails));
}

/** The recipients of a consumer's alerts, sorted: its own `alert_emails`, or `byDefault` if it has none. */
export function recipientsOf(
  { alert_emails: named }: { alert_emails: string[] },
  byDefault: string[],
): string[] {
  return (named.length > 0 ? named : byDefault).toSorted();
}

function toMail({ alerts, ...mail }: AlertMail, waitMs: number): NewMail {
  const [first] = alerts;
  if (first === undefined) throw new Error('a mail needs at least one alert');
  return { ...mail, alertId: first.id, items: alerts.map(({ item }) => item), waitMs };
}

function webhooksOf(mails: AlertMail[]): Parameters<typeof putWebhooks>[1] {
  return mails.flatMap(({ kind, alerts }) =>
    alerts.map(({ id, at, item }) => ({ alertId: id, kind, at, item })),
  );
}

async function insertAlerts(sql: Sql, mails: AlertMail[]): Promise<void> {
  await insertRows(
    sql,
    mails.flatMap(({ kind, messageId, alerts }) =>
      alerts.map(({ id, consumerId, at, item }) => ({
        id,
        consumer_id: consumerId,
        kind,
        detail: item,
        at,
        message_id: messageId,
      })),
    ),
  );
}

/** An alert about one source that is about to be written. */
export interface SourceAlert {
  kind: SourceAlertKind;
  at: Date;
  item: SourceItem;
}

/**
 * Writes an alert about a source and puts its mail to the operators, and its webhook if there is one, into the outbox,
 * in the caller's transaction. Returns the id of the alert.
 */
export async function writeSourceAlert(
  sql: Sql,
  { alertEmails, alertWebhook }: Pick<AlertOptions, 'alertEmails' | 'alertWebhook'>,
  { kind, at, item }: SourceAlert,
): Promise<string> {
  const id = newId();
  const messageId = `<${kind}.${item.source_id}.${id}@millrace>`;
  const told = { id, source_id: item.source_id, kind, detail: item, at, message_id: messageId };
  await insertRows(sql, [told]);
  const recipients = alertEmails.toSorted();
  await putSourceMail(sql, { messageId, alertId: id, kind, recipients, item });
  if (alertWebhook) await putWebhooks(sql, [{ alertId: id, kind, at, item }]);
  return id;
}

interface AlertRow {
  id: string;
  consumer_id?: string;
  source_id?: string;
  kind: AlertKind;
  detail: object;
  at: Date;
  message_id: string;
}

async function insertRows(sql: Sql, rows: AlertRow[]): Promise<void> {
  await sql.query({
    text: `
      insert into alerts (id, consumer_id, source_id, kind, detail, at, message_id)
      select id, consumer_id, source_id, kind, detail, at, message_id
        from json_to_recordset($1) as a(id uuid, consumer_id uuid, source_id uuid, kind text, detail jsonb,
                                        at timestamptz, message_id text)`,
    values: [JSON.stringify(rows)],
  });
}

async function setMessageId(sql: Sql, alertId: string, messageId: string): Promise<void> {
  await sql.query({
    text: 'update alerts set message_id = $2 where id = $1',
    values: [alertId, messageId],
  });
}

/** Notes that the alerts about these consumers are not reported by this mail, nor by any other. */
export async function leaveOutOfMail(
  sql: Sql,
  messageId: string,
  consumerIds: string[],
): Promise<void> {
  await sql.query({
    text: 'update alerts set message_id = null where consumer_id = any($2) and message_id = $1',
    values: [messageId, consumerIds],
  });
}

import type { Sql } from '../db/db.ts';
import { newId } from '../db/ids.ts';
import { isOfAllTargets } from '../rules/startFault.ts';
import type { AlertKind, ConsumerAlertKind, SourceAlertKind } from '../schema/alert.ts';
import type { AlertItem } from './alertItem.ts';
import { written, writtenOfSource, type Written } from './alertText.ts';
import { sayingOf } from './alertWords.ts';
import type { Mail } from './mail.ts';
import { isOfSource, type SourceItem } from './sourceItem.ts';

/** A mail about consumers as it is put into the outbox. */
export interface NewMail {
  messageId: string;
  /** The id of its first alert. */
  alertId: string;
  kind: ConsumerAlertKind;
  recipients: string[];
  targetId: string;
  /** Whether it may join a mail about consumers of other targets. */
  spansTargets?: boolean;
  /** What the mail reports, one item for each consumer. */
  items: AlertItem[];
  /** How long the mail waits for other alerts to join it, ms. */
  waitMs: number;
}

/** Puts mails about consumers into the outbox. */
export async function putMails(sql: Sql, mails: NewMail[]): Promise<void> {
  await insertMails(
    sql,
    mails.map((mail) => ({ ...mail, columns: written(mail.kind, mail.items) })),
  );
}

/** A mail about a source as it is put into the outbox. */
export interface NewSourceMail {
  messageId: string;
  alertId: string;
  kind: SourceAlertKind;
  recipients: string[];
  item: SourceItem;
}

/** Puts a mail about a source into the outbox, to be sent immediately. */
export async function putSourceMail(sql: Sql, mail: NewSourceMail): Promise<void> {
  const columns = writtenOfSource(mail.kind, mail.item);
  await insertMails(sql, [{ ...mail, targetId: null, waitMs: 0, columns }]);
}

type InsertedMail = Pick<NewMail, 'messageId' | 'alertId' | 'recipients' | 'waitMs'> & {
  kind: AlertKind;
  targetId: string | null;
  columns: Written;
};

/** The times of mails are those of the real clock, which a workflow's time may be ahead of. */
async function insertMails(sql: Sql, mails: InsertedMail[]): Promise<void> {
  const rows = mails.map((mail) => {
    const [items, subject, body, html, headers] = mail.columns;
    return {
      id: newId(),
      message_id: mail.messageId,
      alert_id: mail.alertId,
      recipients: mail.recipients,
      kind: mail.kind,
      target_id: mail.targetId,
      items,
      subject,
      body,
      html,
      headers,
      wait_ms: mail.waitMs,
    };
  });
  await sql.query({
    text: `
      insert into outbox (id, message_id, alert_id, recipients, kind, target_id, items, subject,
                          body, html, headers, created_at, next_try_at)
      select id, message_id, alert_id, recipients, kind, target_id, items::json, subject, body, html,
             headers::jsonb, clock_timestamp(), clock_timestamp() + wait_ms * interval '1 ms'
        from json_to_recordset($1) as m(id uuid, message_id text, alert_id uuid, recipients text[],
                                        kind text, target_id uuid, items text, subject text, body text,
                                        html text, headers text, wait_ms float8)`,
    values: [JSON.stringify(rows)],
  });
}

/** The largest number of consumers in one mail. */
export const CONSUMERS_IN_A_MAIL = 100;

/**
 * Adds the items of `mail` to a waiting mail of the same kind, target and recipients that has not been tried
 * yet, or to one of any target if the mail spans targets. Both must have the same reason, unless they are
 * warnings of a failing endpoint, which give a reason for each consumer. A consumer that the waiting mail has
 * already is reported once, by its new item. Returns the Message-ID of that mail; null when there is none, or
 * it is full.
 */
export async function joinMail(sql: Sql, mail: NewMail): Promise<string | null> {
  const [first] = mail.items;
  if (first === undefined) throw new Error('a mail tells of at least one consumer');
  const isOfEndpoint = first.cannot_start === undefined;
  const { spansTargets = false } = mail;
  await sql.query({
    text: `select pg_advisory_xact_lock(hashtextextended('alert mail of ' || $1, 0))`,
    values: [spansTargets ? 'all targets' : mail.targetId],
  });
  const { rows } = await sql.query<{ id: string; message_id: string; items: AlertItem[] }>({
    text: `
      select id, message_id, items from outbox
       where (target_id = $1 or $6) and kind = $2 and recipients = $3 and channel = 'mail'
         and (items->0->'cannot_start' is null) = $5
         and (items->0->>'reason' = $4 or kind = 'warning' and $5)
         and json_array_length(items) < ${CONSUMERS_IN_A_MAIL}
         and sent_at is null and attempts = 0 and next_try_at > clock_timestamp()
       order by created_at desc limit 1 for update`,
    values: [mail.targetId, mail.kind, mail.recipients, first.reason, isOfEndpoint, spansTargets],
  });
  const [found] = rows;
  if (found === undefined) return null;
  const told = new Set(mail.items.map((item) => item.consumer_id));
  const others = found.items.filter((item) => !told.has(item.consumer_id));
  await rewrite(sql, found.id, written(mail.kind, [...others, ...mail.items]));
  return found.message_id;
}

/** Replaces the items of a claimed mail by these, and returns it as it is sent. */
export async function rewriteMail(sql: Sql, mail: Mail, items: AlertItem[]): Promise<Mail> {
  if (mail.kind === null || isOfSource(mail.kind))
    throw new Error('a mail of this kind has no items');
  const columns = written(mail.kind, items);
  await rewrite(sql, mail.id, columns);
  const [, subject, body, html, headers] = columns;
  return { ...mail, items, subject, body, html, headers: JSON.parse(headers) };
}

async function rewrite(sql: Sql, id: string, columns: Written): Promise<void> {
  await sql.query({
    text: 'update outbox set items = $2, subject = $3, body = $4, html = $5, headers = $6 where id = $1',
    values: [id, ...columns],
  });
}

/** A webhook as it is put into the outbox; its webhook-id is the alert's id. */
export interface NewWebhook {
  alertId: string;
  kind: AlertKind;
  at: Date;
  item: AlertItem | SourceItem;
}

/** Puts webhooks into the outbox, to be sent immediately. */
export async function putWebhooks(sql: Sql, webhooks: NewWebhook[]): Promise<void> {
  const rows = webhooks.map(({ alertId, kind, at, item }) => ({
    id: newId(),
    alert_id: alertId,
    kind,
    items: isOfSource(kind) ? [] : [item],
    body: JSON.stringify({ alert: { id: alertId, kind, at: at.toISOString(), ...shownIn(item) } }),
  }));
  await sql.query({
    text: `
      insert into outbox (id, message_id, alert_id, recipients, channel, kind, items, subject, body,
                          headers, created_at, next_try_at)
      select id, alert_id::text, alert_id, '{}', 'webhook', kind, items, '', body, '{}', clock_timestamp(),
             clock_timestamp()
        from json_to_recordset($1) as w(id uuid, alert_id uuid, kind text, items json, body text)`,
    values: [JSON.stringify(rows)],
  });
}

/** The item without what is only for texts for people, because receivers know the fields of the webhook. */
function shownIn(item: AlertItem | SourceItem): object {
  if ('source_id' in item) return item;
  const {
    target_id: _target,
    retries_until: _until,
    answer: _answer,
    kept_until: _kept,
    ...shown
  } = item;
  return shown;
}

/** Longer than handing one over takes. After this time, another process may try. */
const CLAIM = '2 minutes';
const GIVE_UP_AFTER = '24 hours';

/**
 * Claims the mail or webhook of a channel that is due first, so that no other process sends it; null when none
 * is due.
 */
export async function claimMail(sql: Sql, channel: Mail['channel']): Promise<Mail | null> {
  const { rows } = await sql.query<Mail>({
    text: `
      update outbox set attempts = attempts + 1, next_try_at = clock_timestamp() + interval '${CLAIM}'
       where id = (select id from outbox
                    where sent_at is null and given_up_at is null and channel = $1
                      and next_try_at <= clock_timestamp()
                    order by next_try_at limit 1 for update skip locked)
      returning id, channel, kind, items, message_id, recipients, subject, body, html, headers, attempts`,
    values: [channel],
  });
  return rows[0] ?? null;
}

/**
 * Claims up to `most` others of what is due in its channel that tell the same as `first` of consumers of the same
 * target, or of any if the cause is of none: of one kind and reason, unless what is told of each gives its own.
 * The oldest come first.
 */
export async function claimAlike(
  sql: Sql,
  { kind, channel, items: [item] }: Mail,
  most: number,
): Promise<Pick<Mail, 'id' | 'items'>[]> {
  if (kind === null || isOfSource(kind) || item?.target_id === undefined || most <= 0) return [];
  const { cannot_start, first, reason, target_id } = item;
  const isOfEndpoint = cannot_start === undefined;
  const isApart = sayingOf(kind, item).apart === true || (kind === 'warning' && isOfEndpoint);
  const { rows } = await sql.query<Pick<Mail, 'id' | 'items'>>({
    text: `
      update outbox set attempts = attempts + 1, next_try_at = clock_timestamp() + interval '${CLAIM}'
       where id in (select id from outbox
                     where sent_at is null and given_up_at is null and channel = $1
                       and next_try_at <= clock_timestamp()
                       and kind = $2 and ($3::text is null or items->0->>'target_id' = $3)
                       and (items->0->'cannot_start' is null) = $4 and (items->0->'first' is null) = $5
                       and ($6::text is null or items->0->>'reason' = $6)
                     order by next_try_at limit $7 for update skip locked)
      returning id, items`,
    values: [
      channel,
      kind,
      cannot_start !== undefined && isOfAllTargets(cannot_start.code) ? null : target_id,
      isOfEndpoint,
      first === undefined,
      isApart ? null : reason,
      most,
    ],
  });
  return rows.toSorted((a, b) => (a.id < b.id ? -1 : 1)); // the ids say in which order they came
}

/** Milliseconds until the next one of a channel is due; Infinity when nothing waits. */
export async function nextMailInMs(sql: Sql, channel: Mail['channel']): Promise<number> {
  const { rows } = await sql.query<{ ms: number | null }>({
    text: `
      select extract(epoch from min(next_try_at) - clock_timestamp())::float8 * 1000 as ms
        from outbox where sent_at is null and given_up_at is null and channel = $1`,
    values: [channel],
  });
  return rows[0]?.ms ?? Infinity;
}

/** Notes that a mail is not sent, because nothing was left to report. */
export async function dropMail(sql: Sql, id: string): Promise<void> {
  await sql.query({
    text: 'update outbox set dropped_at = clock_timestamp(), given_up_at = clock_timestamp() where id = $1',
    values: [id],
  });
}

/** Notes that the other side has accepted these. */
export async function noteSent(sql: Sql, ids: string[]): Promise<void> {
  await sql.query({
    text: 'update outbox set sent_at = clock_timestamp(), last_error = null where id = any($1)',
    values: [ids],
  });
}

/** Notes a failed attempt at these and plans the next in `waitSeconds`; true when one is given up, after 24 hours. */
export async function noteFailed(
  sql: Sql,
  ids: string[],
  { error, waitSeconds }: { error: string; waitSeconds: number },
): Promise<boolean> {
  const { rows } = await sql.query<{ given_up: boolean }>({
    text: `
      update outbox
         set last_error = $2, next_try_at = clock_timestamp() + make_interval(secs => $3),
             given_up_at = case when created_at < clock_timestamp() - interval '${GIVE_UP_AFTER}'
                                then clock_timestamp() end
       where id = any($1) returning given_up_at is not null as given_up`,
    values: [ids, error, waitSeconds],
  });
  return rows.some((row) => row.given_up);
}

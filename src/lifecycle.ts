import type { Db, Sql } from './db.ts';
import { newId } from './ids.ts';

/** The turns a consumer takes by itself; each one transaction, without effect when repeated. */
export interface Lifecycle {
  /** active → blocked. The first failure starts the 24 hours. */
  block(consumerId: string, reason: string, at: Date): Promise<void>;
  /** blocked → active, after a 2xx or when nothing is left to try; whoever was warned hears of it. */
  unblock(consumerId: string, at: Date): Promise<void>;
  /** Tells of a consumer that has been blocked for 1/24 of the window; once an episode. */
  warn(consumerId: string, at: Date): Promise<void>;
  /** active or blocked → stopped, with its alert and the mail in the outbox. */
  stop(consumerId: string, at: Date, why: StopReason): Promise<void>;
}

/** The window has ended, the endpoint answered 410, or too many entries are parked. */
export type StopReason = 'window' | 'gone' | 'parked';

export interface LifecycleOptions {
  db: Db;
  /** Who gets alerts of consumers that name nobody. */
  alertEmails: string[];
  /** Where people look: links in mails begin with it. */
  publicUrl: string;
}

export function createLifecycle(options: LifecycleOptions): Lifecycle {
  const { db } = options;

  async function block(consumerId: string, reason: string, at: Date): Promise<void> {
    await db.query({
      text: `
        update consumers
           set status = 'blocked', status_reason = $2, failing_since = coalesce(failing_since, $3),
               version = version + 1, updated_at = $3
         where id = $1 and status = 'active' and deleted_at is null`,
      values: [consumerId, reason, at],
    });
  }

  async function unblock(consumerId: string, at: Date): Promise<void> {
    await db.query({
      text: `
        with turned as (
          update consumers
             set status = 'active', status_reason = null, failing_since = null, version = version + 1,
                 updated_at = $2
           where id = $1 and status = 'blocked'
          returning id
        )
        update cursors set head = null, attempt = 0, next_attempt_at = null, ramp = true
          from turned where consumer_id = turned.id`,
      values: [consumerId, at],
    });
  }

  async function warn(): Promise<void> {}

  async function stop(consumerId: string, at: Date, _why: StopReason): Promise<void> {
    await db.transaction(async (tx) => {
      const stopped = await turnStopped(tx, consumerId, at);
      if (stopped !== null) await tell(tx, options, consumerId, stopped, at);
    });
  }

  return { block, unblock, warn, stop };
}

interface Stopped {
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

async function turnStopped(sql: Sql, consumerId: string, at: Date): Promise<Stopped | null> {
  const { rows } = await sql.query<Stopped>({
    text: `
      with turned as (
        update consumers
           set status = 'stopped', version = version + 1, updated_at = $2,
               status_reason = 'the endpoint failed for the whole retry window'
         where id = $1 and status = 'blocked'
        returning *
      ), cursor as (
        update cursors set next_attempt_at = null
          from turned where consumer_id = turned.id
        returning cursors.*
      )
      select k.name, k.alert_emails, k.version, k.failing_since, t.name as target_name,
             t.base_url as target_url, c.position, c.last_failure,
             greatest(0, s.last_position - c.position - cardinality(c.ahead)) as waiting
        from turned k
        join cursor c on c.consumer_id = k.id
        join targets t on t.id = k.target_id
        join streams s on s.name = k.stream`,
    values: [consumerId, at],
  });
  return rows[0] ?? null;
}

async function tell(
  sql: Sql,
  options: LifecycleOptions,
  consumerId: string,
  stopped: Stopped,
  at: Date,
): Promise<void> {
  const alertId = newId();
  await sql.query({
    text: `insert into alerts (id, consumer_id, kind, detail, at) values ($1, $2, 'stopped', $3, $4)`,
    values: [
      alertId,
      consumerId,
      JSON.stringify({
        failing_since: stopped.failing_since,
        position: stopped.position,
        last_failure: stopped.last_failure,
      }),
      at,
    ],
  });
  const recipients = stopped.alert_emails.length > 0 ? stopped.alert_emails : options.alertEmails;
  await sql.query({
    text: `
      insert into outbox (id, message_id, alert_id, recipients, subject, body, headers, created_at, next_try_at)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $8)`,
    values: [
      newId(),
      `<stopped.${consumerId}.${stopped.version}@millrace>`,
      alertId,
      recipients,
      `Stopped: ${stopped.name} → ${stopped.target_name}`,
      mailText(options, consumerId, stopped),
      JSON.stringify({ 'X-Millrace-Alert': 'stopped', 'X-Millrace-Consumer': consumerId }),
      at,
    ],
  });
}

function mailText(options: LifecycleOptions, consumerId: string, stopped: Stopped): string {
  const failure = stopped.last_failure;
  return [
    `Consumer "${stopped.name}" has stopped: its endpoint failed for the whole retry window.`,
    '',
    `Endpoint:      ${stopped.target_url}`,
    `Failing since: ${stopped.failing_since ?? 'unknown'}`,
    `Last answer:   ${failure === null ? 'none' : `${failure.code}, ${failure.detail} (${failure.at})`}`,
    `Waiting:       up to ${stopped.waiting} entries, from position ${stopped.position + 1}. Nothing is lost.`,
    '',
    'Nothing more is sent until someone resumes it. When the endpoint is well again:',
    '',
    `  millrace consumers resume ${consumerId}`,
    `  ${options.publicUrl}/consumers/${consumerId}`,
    '',
  ].join('\n');
}

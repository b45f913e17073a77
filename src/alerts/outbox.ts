import type { Logger } from 'pino';

import type { Db } from '../db/db.ts';
import { createLoop } from '../process/loop.ts';
import type { Mail, Send } from './mail.ts';

export interface OutboxOptions {
  db: Db;
  send: Send;
  /** Where alerts are POSTed to; null: nowhere. */
  sendWebhook: Send | null;
  /** Between two looks, ms. */
  pollMs: number;
  log: Logger;
}

export interface Outbox extends AsyncDisposable {
  /** There may be something to send now. */
  hint(): void;
}

/** Longer than handing one over takes: until then it is ours, and after it anybody's again. */
const CLAIM = '2 minutes';
const GIVE_UP_AFTER = '24 hours';

/**
 * Sends what stands in the outbox. What could not be handed over is tried again for 24 hours, up
 * to an hour apart, then given up; a mail is sent twice only if we die between the server's answer
 * and noting it, with the same Message-ID.
 */
export function startOutbox(options: OutboxOptions): Outbox {
  const { db, log } = options;
  let soon: NodeJS.Timeout | undefined;
  const loop = createLoop({
    turn: async () => {
      if (await sendOne()) loop.ask(); // until nothing is due
      else await lookSoon();
    },
    failed: (error) => log.warn({ err: error }, 'the outbox could not be read; trying again'),
  });
  const timer = setInterval(loop.ask, options.pollMs);

  /** What is due before the next look is not late. */
  async function lookSoon(): Promise<void> {
    const { rows } = await db.query<{ ms: number | null }>({
      text: `
        select extract(epoch from min(next_try_at) - clock_timestamp())::float8 * 1000 as ms
          from outbox where sent_at is null and given_up_at is null`,
    });
    const ms = rows[0]?.ms ?? Infinity;
    clearTimeout(soon);
    if (ms < options.pollMs) soon = setTimeout(loop.ask, Math.max(1, ms));
  }

  /** Sends the one that is due first; claims it before, so that no other process sends it too. */
  async function sendOne(): Promise<boolean> {
    const { rows } = await db.query<Mail>({
      text: `
        update outbox set attempts = attempts + 1, next_try_at = clock_timestamp() + interval '${CLAIM}'
         where id = (select id from outbox
                      where sent_at is null and given_up_at is null
                        and next_try_at <= clock_timestamp()
                      order by next_try_at limit 1 for update skip locked)
        returning id, channel, message_id, recipients, subject, body, html, headers, attempts`,
    });
    const [mail] = rows;
    if (mail === undefined) return false;
    const { channel, subject, message_id } = mail;
    const send = channel === 'mail' ? options.send : (options.sendWebhook ?? nowhere);
    try {
      await send(mail);
    } catch (error) {
      await failed(mail, error);
      return true;
    }
    await db.query({
      text: 'update outbox set sent_at = clock_timestamp(), last_error = null where id = $1',
      values: [mail.id],
    });
    log.info({ channel, subject, message_id, recipients: mail.recipients.length }, 'alert sent');
    return true;
  }

  async function failed(mail: Mail, error: unknown): Promise<void> {
    const { channel, subject, message_id } = mail;
    const waitSeconds = Math.min(3600, 5 * 2 ** (mail.attempts - 1));
    const { rows } = await db.query<{ given_up: boolean }>({
      text: `
        update outbox
           set last_error = $2, next_try_at = clock_timestamp() + make_interval(secs => $3),
               given_up_at = case when created_at < clock_timestamp() - interval '${GIVE_UP_AFTER}'
                                  then clock_timestamp() end
         where id = $1 returning given_up_at is not null as given_up`,
      values: [mail.id, error instanceof Error ? error.message : 'failed', waitSeconds],
    });
    const what = { err: error, channel, subject, message_id };
    if (rows[0]?.given_up === true)
      log.error(what, 'an alert could not be sent for a day: given up');
    else log.warn({ ...what, again_in_s: waitSeconds }, 'an alert could not be sent');
  }

  return {
    hint: loop.ask,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await loop.close();
      clearTimeout(soon);
    },
  };
}

function nowhere(): Promise<void> {
  return Promise.reject(new Error('MILLRACE_ALERT_WEBHOOK is not set any more'));
}

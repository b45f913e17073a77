import type { Logger } from 'pino';

import type { Db } from '../db/db.ts';
import { createLoop } from '../process/loop.ts';
import type { Mail, Send } from './mail.ts';
import { claimMail, nextMailInMs, noteFailed, noteSent } from './outboxRows.ts';

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
    const ms = await nextMailInMs(db);
    clearTimeout(soon);
    if (ms < options.pollMs) soon = setTimeout(loop.ask, Math.max(1, ms));
  }

  /** Sends the one that is due first; claims it before, so that no other process sends it too. */
  async function sendOne(): Promise<boolean> {
    const mail = await claimMail(db);
    if (mail === null) return false;
    const { channel, subject, message_id } = mail;
    const send = channel === 'mail' ? options.send : (options.sendWebhook ?? nowhere);
    try {
      await send(mail);
    } catch (error) {
      await failed(mail, error);
      return true;
    }
    await noteSent(db, mail.id);
    log.info({ channel, subject, message_id, recipients: mail.recipients.length }, 'alert sent');
    return true;
  }

  async function failed(mail: Mail, error: unknown): Promise<void> {
    const { channel, subject, message_id } = mail;
    const waitSeconds = Math.min(3600, 5 * 2 ** (mail.attempts - 1));
    const givenUp = await noteFailed(db, mail.id, {
      error: error instanceof Error ? error.message : 'failed',
      waitSeconds,
    });
    const what = { err: error, channel, subject, message_id };
    if (givenUp) log.error(what, 'an alert could not be sent for a day: given up');
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

import type { Logger } from 'pino';

import type { Db } from '../db/db.ts';
import { createLoop } from '../process/loop.ts';
import type { Mail, Send } from './mail.ts';
import { claimMail, nextMailInMs, noteFailed, noteSent } from './outboxRows.ts';

export interface OutboxOptions {
  db: Db;
  send: Send;
  /** Sends to the alert webhook; null: there is none. */
  sendWebhook: Send | null;
  /** The pause between two looks without a hint, ms. */
  pollMs: number;
  log: Logger;
}

/** Sends what is in the outbox until it is disposed of. */
export interface Outbox extends AsyncDisposable {
  /** Makes the outbox look immediately, as there may be something to send. */
  hint(): void;
}

/**
 * Starts to send what is in the outbox. A mail or webhook that cannot be handed over is tried again
 * for 24 hours, at most an hour apart, and then given up. It is sent twice, with the same
 * Message-ID, only if the process dies between the server's answer and noting it.
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

  /** Plans an earlier look if something is due before the next one. */
  async function lookSoon(): Promise<void> {
    const ms = await nextMailInMs(db);
    clearTimeout(soon);
    if (ms < options.pollMs) soon = setTimeout(loop.ask, Math.max(1, ms));
  }

  /** Claims and sends the one that is due first; false when none is due. */
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
    if (givenUp) log.error(what, 'an alert could not be sent for a day and is given up');
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
  return Promise.reject(new Error('MILLRACE_ALERT_WEBHOOK is no longer set'));
}

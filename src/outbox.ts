import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import nodemailer from 'nodemailer';
import type { Logger } from 'pino';

import type { Db } from './db.ts';

export interface Mail {
  id: string;
  message_id: string;
  recipients: string[];
  subject: string;
  body: string;
  html: string | null;
  headers: Record<string, string>;
  attempts: number;
}

/** Hands a mail over; resolves once the other side has taken it. */
export type SendMail = (mail: Mail) => Promise<void>;

export interface OutboxOptions {
  db: Db;
  send: SendMail;
  /** Between two looks, ms. */
  pollMs: number;
  log: Logger;
}

export interface Outbox extends AsyncDisposable {
  /** There may be something to send now. */
  hint(): void;
}

/**
 * Sends what stands in the outbox. A mail that could not be handed over is tried again, up to an
 * hour apart; one is sent twice only if we die between the server's answer and noting it, with
 * the same Message-ID.
 */
export function startOutbox(options: OutboxOptions): Outbox {
  const { db, log } = options;
  let running: Promise<void> | null = null;
  let again = false;
  const timer = setInterval(hint, options.pollMs);

  function hint(): void {
    again = true;
    running ??= run().finally(() => {
      running = null;
    });
  }

  async function run(): Promise<void> {
    while (again) {
      again = false;
      try {
        while (await sendOne()) again = true;
      } catch (error) {
        log.warn({ err: error }, 'the outbox could not be read; trying again');
        return;
      }
    }
  }

  /** Sends the mail that is due first; holds its row so that no other process sends it too. */
  function sendOne(): Promise<boolean> {
    return db.transaction(async (tx) => {
      const { rows } = await tx.query<Mail>({
        text: `
          select id, message_id, recipients, subject, body, html, headers, attempts from outbox
           where sent_at is null and next_try_at <= clock_timestamp()
           order by next_try_at limit 1 for update skip locked`,
      });
      const [mail] = rows;
      if (mail === undefined) return false;
      try {
        await options.send(mail);
        await tx.query({
          text: 'update outbox set sent_at = clock_timestamp(), attempts = attempts + 1, last_error = null where id = $1',
          values: [mail.id],
        });
        log.info({ subject: mail.subject, recipients: mail.recipients.length }, 'mail sent');
      } catch (error) {
        const waitSeconds = Math.min(3600, 5 * 2 ** mail.attempts);
        await tx.query({
          text: `
            update outbox
               set attempts = attempts + 1, last_error = $2,
                   next_try_at = clock_timestamp() + make_interval(secs => $3)
             where id = $1`,
          values: [mail.id, error instanceof Error ? error.message : 'failed', waitSeconds],
        });
        log.warn({ err: error, again_in_s: waitSeconds }, 'a mail could not be sent');
      }
      return true;
    });
  }

  return {
    hint,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await running;
    },
  };
}

/** Sends by SMTP. */
export function smtpMail(url: string, from: string): SendMail {
  const transport = nodemailer.createTransport(url);
  return async (mail) => {
    if (mail.recipients.length === 0) return; // nobody is named: the alert row tells
    await transport.sendMail({ ...toMessage(mail, from) });
  };
}

/** Writes `.eml` files into a folder: what would have been sent, for development. */
export function fileMail(folder: string, from: string): SendMail {
  const transport = nodemailer.createTransport({
    streamTransport: true,
    buffer: true,
    newline: 'unix',
  });
  return async (mail) => {
    await mkdir(folder, { recursive: true });
    const built = await transport.sendMail(toMessage(mail, from));
    const path = join(folder, `${mail.id}.eml`);
    await writeFile(`${path}.new`, built.message as Buffer);
    await rename(`${path}.new`, path);
  };
}

function toMessage(mail: Mail, from: string) {
  return {
    from,
    to: mail.recipients.length > 0 ? mail.recipients : 'undisclosed-recipients:;',
    subject: mail.subject,
    text: mail.body,
    ...(mail.html === null ? {} : { html: mail.html }),
    messageId: mail.message_id,
    headers: mail.headers,
  };
}

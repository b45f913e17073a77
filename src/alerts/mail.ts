import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import nodemailer from 'nodemailer';

/** One row of the outbox; `message_id` is the webhook-id of a webhook. */
export interface Mail {
  id: string;
  channel: 'mail' | 'webhook';
  message_id: string;
  recipients: string[];
  subject: string;
  body: string;
  html: string | null;
  headers: Record<string, string>;
  /** This one included. */
  attempts: number;
}

/** Hands a mail over; resolves once the other side has taken it. */
export type Send = (mail: Mail) => Promise<void>;

/** A server that says nothing is one that is away. */
const SMTP_TIMEOUTS = {
  dnsTimeout: 10_000,
  connectionTimeout: 10_000,
  greetingTimeout: 10_000,
  socketTimeout: 30_000,
};

/** Sends by SMTP. */
export function smtpMail(url: string, from: string): Send {
  const transport = nodemailer.createTransport({ url, ...SMTP_TIMEOUTS });
  return async (mail) => {
    if (mail.recipients.length === 0) return; // nobody is named: the alert row tells
    await transport.sendMail(toMessage(mail, from));
  };
}

/** Writes `.eml` files into a folder: what would have been sent, for development. */
export function fileMail(folder: string, from: string): Send {
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

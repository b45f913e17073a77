import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { AlertKind } from '../schema/alert.ts';
import type { AlertItem } from './alertItem.ts';
import type { Section } from './alertSections.ts';

/** A row of the outbox. For a webhook, `message_id` is its `webhook-id`. */
export interface Mail {
  id: string;
  channel: 'mail' | 'webhook';
  /** The kind of its alerts; null in rows of early versions. */
  kind: AlertKind | null;
  /** The facts of the mail, one item for each consumer; empty for one about a source, and for a webhook of an early version. */
  items: AlertItem[];
  message_id: string;
  recipients: string[];
  subject: string;
  body: string;
  html: string | null;
  headers: Record<string, string>;
  /** The attempts to send it, including the current one. */
  attempts: number;
  /** The text of a test; that of alerts follows from `kind` and `items`. */
  sections?: Section[];
  /** The ids of all rows that it stands for, if there are several. */
  told?: string[];
}

/** The other side's answer when it accepted a message. */
export interface Taken {
  /** The status of HTTP. */
  status?: number;
  /** The recipients that the mail server refused while it accepted others. */
  refused?: string[];
  /** Set if a mail was written to a file, because there is no mail server. */
  isFile?: true;
}

/** Hands a mail over; resolves once the other side has accepted it. `signal` cuts it off. */
export interface Send {
  (mail: Mail, signal: AbortSignal): Promise<Taken | void>;
  /** How many due alerts of one target fit into one message; one unless given. */
  readonly gathers?: number;
}

/** Whether the mail server has refused this one mail, which says nothing about others. */
export function isRefusal(error: unknown): boolean {
  const { code, responseCode } = error as { code?: unknown; responseCode?: unknown };
  const isOfMail = code === 'EENVELOPE' || code === 'EMESSAGE';
  return isOfMail && typeof responseCode === 'number' && responseCode >= 500;
}

/** A server that is silent for longer than this counts as away, ms. */
const SMTP_TIMEOUTS = {
  dnsTimeout: 10_000,
  connectionTimeout: 10_000,
  greetingTimeout: 10_000,
  socketTimeout: 30_000,
};

/** Sends mails by SMTP, each on a connection of its own; one without recipients is dropped. */
export function smtpMail(url: string, from: string): Send {
  return async (mail, signal) => {
    if (mail.recipients.length === 0) return {}; // there are no recipients: only the alert's row shows it
    const { createTransport } = await import('nodemailer'); // few processes ever send a mail
    const transport = createTransport({ url, ...SMTP_TIMEOUTS });
    const { rejected } = await transport.sendMail({ ...toMessage(mail, from), signal });
    return { refused: rejected.map(String) };
  };
}

/** Writes each mail into a folder as an `.eml` file instead of sending it, for development. */
export function fileMail(folder: string, from: string): Send {
  return async (mail) => {
    const { createTransport } = await import('nodemailer');
    const transport = createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
    await mkdir(folder, { recursive: true });
    const built = await transport.sendMail(toMessage(mail, from));
    const path = join(folder, `${mail.id}.eml`);
    await writeFile(`${path}.new`, built.message as Buffer);
    await rename(`${path}.new`, path);
    return { isFile: true };
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

import type { Logger } from 'pino';

import type { Db } from '../db/db.ts';
import type { Mail, Send } from './mail.ts';
import { startChannel } from './outboxChannel.ts';

export interface OutboxOptions {
  db: Db;
  send: Send;
  /** Sends to the alert webhook; null: there is none. */
  sendWebhook: Send | null;
  /** The pause between two checks without a hint, ms. */
  pollMs: number;
  log: Logger;
  /** How long one attempt to hand an alert over may take, ms; a minute unless given, and less than a claim lasts. */
  attemptMs?: number;
}

/** Sends what is in the outbox until it is disposed of. */
export interface Outbox extends AsyncDisposable {
  /** Makes the outbox check immediately, because there may be something to send. */
  hint(): void;
}

const ATTEMPT_MS = 60_000;

/**
 * Starts to send what is in the outbox. Mails and webhooks do not wait for each other, and several of
 * each are handed over at once, in no particular order; one that hangs holds one place for a minute. One
 * that cannot be handed over is tried again for 24 hours, at most an hour apart, and then given up. It
 * is sent twice, with the same Message-ID, only if the server's answer is lost or cannot be noted.
 */
export function startOutbox(options: OutboxOptions): Outbox {
  const { db, pollMs, log, attemptMs = ATTEMPT_MS } = options;
  const shared = { db, pollMs, log, attemptMs };
  const channels = [
    startChannel({ ...shared, channel: 'mail', send: options.send }),
    startChannel({ ...shared, channel: 'webhook', send: options.sendWebhook ?? nowhere }),
  ];
  return {
    hint: () => {
      for (const channel of channels) channel.hint();
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(channels.map((channel) => channel[Symbol.asyncDispose]()));
    },
  };
}

function nowhere(_mail: Mail): Promise<void> {
  return Promise.reject(new Error('MILLRACE_ALERT_WEBHOOK is not set any more'));
}

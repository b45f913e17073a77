import { hkdfSync } from 'node:crypto';

import type { VaultKey } from '../db/vault.ts';
import type { Egress } from '../egress/egress.ts';
import { postOnce } from '../egress/postOnce.ts';
import { createSigner } from '../egress/signing.ts';
import type { AlertItem } from './alertItem.ts';
import { slackOf, slackText } from './alertText.ts';
import type { Mail, Send, Taken } from './mail.ts';
import { isOfSource, type SourceItem } from './sourceItem.ts';
import { sourceSections } from './sourceText.ts';

const TIMEOUT_MS = 15_000;
/** The largest number of alerts in a text for Slack, which stays far below what Slack accepts. */
const IN_A_TEXT = 20;

/** The body of alert webhooks: the alert as JSON, or a text as Slack's incoming webhooks take it. */
export type AlertFormat = 'json' | 'slack';

/** The endpoint has answered, but not with a 2xx. */
class AlertRefused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the alert webhook answered HTTP ${status}`);
    this.status = status;
  }
}

/**
 * POSTs alerts to the operators' own endpoint as Standard Webhooks: `webhook-id` is the alert's id, the same on
 * each attempt. Rejects unless the headers of a 2xx come within 15 s, with the status if there was one.
 * Everything after the headers is ignored. As a text for Slack, alerts of one target that are due together are
 * one message.
 */
export function alertWebhook(options: {
  egress: Egress;
  url: string;
  format: AlertFormat;
  secrets: readonly string[];
  userAgent: string;
  /** Unix ms by the clock of Postgres. */
  now: () => number;
}): Send {
  const sign = createSigner(options.secrets);
  const gathers = options.format === 'slack' ? IN_A_TEXT : 1;
  return Object.assign(send, { gathers });

  async function send(mail: Mail): Promise<Taken> {
    const { message_id } = mail;
    const body = options.format === 'slack' ? slackBody(mail) : mail.body;
    const timestamp = Math.floor(options.now() / 1000);
    const answer = await postOnce(options.egress, options.url, {
      headers: {
        'content-type': 'application/json',
        'user-agent': options.userAgent,
        'webhook-id': message_id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': sign(message_id, timestamp, body),
      },
      body,
      timeoutMs: TIMEOUT_MS,
      statusOnly: true,
    });
    if (answer.status < 200 || answer.status > 299) {
      throw new AlertRefused(answer.status);
    }
    return { status: answer.status };
  }
}

/** The message in the form that Slack accepts, in the words of the mail. */
function slackBody({ kind, items, sections, body }: Mail): string {
  if (sections !== undefined) return JSON.stringify({ text: slackOf(sections) });
  if (kind === null) throw new Error('an alert without a kind says nothing');
  // That of a source is only in the body, and an early version kept every alert only there.
  const inBody = (): object => (JSON.parse(body) as { alert: object }).alert;
  if (isOfSource(kind)) {
    return JSON.stringify({ text: slackOf(sourceSections(kind, inBody() as SourceItem)) });
  }
  const told = items.length > 0 ? items : [inBody() as AlertItem];
  return JSON.stringify({ text: slackText(kind, told) });
}

/**
 * The signing secrets of the alert webhook: the given one, or else one derived from each encryption
 * key, the active key's first, so that both sign while keys are rotated. HKDF-SHA-256 (RFC 5869)
 * without a salt.
 */
export function alertSecrets(given: string | null, keys: readonly VaultKey[]): string[] {
  if (given !== null) return [given];
  return keys.map(({ key }) => {
    const derived = hkdfSync('sha256', key, '', 'millrace alert webhook', 32);
    return `whsec_${Buffer.from(derived).toString('base64')}`;
  });
}

import { hkdfSync } from 'node:crypto';

import type { VaultKey } from '../db/vault.ts';
import type { Egress } from '../egress/egress.ts';
import { postOnce } from '../egress/postOnce.ts';
import { createSigner } from '../egress/signing.ts';
import type { Send } from './mail.ts';

const TIMEOUT_MS = 15_000;

/**
 * POSTs alerts to the operators' own endpoint as Standard Webhooks: `webhook-id` is the alert's id,
 * the same on each attempt. Rejects unless the answer is 2xx within 15 s.
 */
export function alertWebhook(options: {
  egress: Egress;
  url: string;
  secrets: readonly string[];
  userAgent: string;
  /** Unix ms by the clock of Postgres. */
  now: () => number;
}): Send {
  const sign = createSigner(options.secrets);
  return async ({ message_id, body }) => {
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
    });
    if (answer.status < 200 || answer.status > 299) {
      throw new Error(`the alert webhook answered HTTP ${answer.status}`);
    }
  };
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

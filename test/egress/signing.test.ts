import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';

import { newSigningSecret, createSigner } from '../../src/egress/signing.ts';
const body = '{"event":{"data":"ü 𝄞"}}';
const now = (): number => Math.floor(Date.now() / 1000);

function headers(id: string, timestamp: number, signature: string): Record<string, string> {
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signature,
  };
}

test('the standardwebhooks library verifies signatures of text and of bytes', () => {
  const secret = newSigningSecret();
  const sign = createSigner([secret]);
  const timestamp = now();
  const signature = sign('msg_1', timestamp, body);
  expect(new Webhook(secret).verify(body, headers('msg_1', timestamp, signature))).toEqual(
    JSON.parse(body),
  );
  expect(sign('msg_1', timestamp, Buffer.from(body))).toBe(signature);
  expect(new Webhook(secret).sign('msg_1', new Date(timestamp * 1000), body)).toBe(signature);
});

test('while a secret is rotated, both the old and the new one verify', () => {
  const secrets = [newSigningSecret(), newSigningSecret()];
  const timestamp = now();
  const signature = createSigner(secrets)('msg_1', timestamp, body);
  expect(signature).toMatch(/^v1,\S{44} v1,\S{44}$/u);
  for (const secret of secrets) {
    new Webhook(secret).verify(body, headers('msg_1', timestamp, signature));
  }
});

test('a signature does not verify with another id, time, body or secret', () => {
  const secret = newSigningSecret();
  const timestamp = now();
  const signature = createSigner([secret])('msg_1', timestamp, body);
  const verify = (key: string, text: string, id: string, at: number) => () =>
    new Webhook(key).verify(text, headers(id, at, signature));
  expect(verify(secret, body, 'msg_1', timestamp)).not.toThrow();
  expect(verify(newSigningSecret(), body, 'msg_1', timestamp)).toThrow(
    'No matching signature found',
  );
  expect(verify(secret, `${body} `, 'msg_1', timestamp)).toThrow('No matching signature found');
  expect(verify(secret, body, 'msg_2', timestamp)).toThrow('No matching signature found');
  expect(verify(secret, body, 'msg_1', timestamp + 1)).toThrow('No matching signature found');
});

test('nothing can be signed without a usable secret', () => {
  expect(() => createSigner([])).toThrow(/at least one/u);
  expect(() => createSigner(['whsec_'])).toThrow(/base64/u);
});

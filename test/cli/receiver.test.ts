import { Webhook } from 'standardwebhooks';
import { request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { newSigningSecret } from '../../src/egress/signing.ts';
import { createReceiver, type Receiver } from '../../src/embedded/receiver.ts';

let secrets: string[] = [];
let away = false;
let receiver: Receiver;

beforeEach(async () => {
  secrets = [];
  away = false;
  receiver = await createReceiver({
    secrets: () => (away ? Promise.reject(new Error('away')) : Promise.resolve(secrets)),
  });
});
afterEach(() => receiver.close());

async function send(
  secret: string | null,
  body = '{"event":{}}',
  at = new Date(),
  more: Record<string, string> = {},
) {
  const id = 'evt_1';
  const { statusCode, body: answer } = await request(receiver.url, {
    method: 'POST',
    headers: {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'millrace-consumer': 'c1',
      'millrace-position': '7',
      'millrace-attempt': '1',
      ...more,
      ...(secret !== null && { 'webhook-signature': new Webhook(secret).sign(id, at, body) }),
    },
    body,
  });
  await answer.dump();
  return statusCode;
}

test('a webhook that was signed with a known secret is answered 200 and shown as verified', async () => {
  secrets = [newSigningSecret(), newSigningSecret()];
  expect(await send(secrets[1]!)).toBe(200);
  expect(receiver.counts()).toEqual({ verified: 1, refused: 0, unknown: 0 });
  expect(receiver.deliveries()).toMatchObject([
    { verdict: 'verified', webhook_id: 'evt_1', consumer: 'c1', position: 7, attempt: 1 },
  ]);
});

test('while secrets are known, a webhook that was signed with none of them, or too long ago, is answered 401', async () => {
  secrets = [newSigningSecret()];
  expect(await send(newSigningSecret())).toBe(401);
  expect(await send(null)).toBe(401);
  expect(await send(secrets[0]!, '{}', new Date(Date.now() - 600_000))).toBe(401);
  expect(receiver.counts()).toEqual({ verified: 0, refused: 3, unknown: 0 });
});

test('while no secret is known, a webhook is answered 200 and shown as not verified', async () => {
  expect(await send(newSigningSecret())).toBe(200);
  expect(receiver.deliveries()).toMatchObject([{ verdict: 'unknown' }]);
});

test('the secret of a target that has just been created is known by its second delivery at the latest', async () => {
  secrets = [newSigningSecret()];
  expect(await send(secrets[0]!)).toBe(200);
  secrets = [...secrets, newSigningSecret()];
  await expect.poll(() => send(secrets[1]!)).toBe(200);
});

test('with Postgres away the secrets that are known still verify', async () => {
  secrets = [newSigningSecret()];
  expect(await send(secrets[0]!)).toBe(200);
  away = true;
  await expect.poll(() => send(newSigningSecret())).toBe(401);
  expect(await send(secrets[0]!)).toBe(200);
});

test('the page shows the last 200, newest first, and nothing in it is markup', async () => {
  for (let n = 0; n < 201; n++) await send(null, `{"n":"<script>${n}</script>"}`);
  const page = await (await request(receiver.pageUrl)).body.text();
  expect(page).toContain('&lt;script&gt;200&lt;/script&gt;');
  expect(page).not.toContain('<script');
  expect(page.match(/<details/gu)).toHaveLength(200);
  expect(page.match(/<details open/gu)).toHaveLength(10);
  expect(page).not.toContain('&lt;script&gt;0&lt;');
  const json = await (await request(`${receiver.pageUrl}deliveries`)).body.json();
  expect(json).toMatchObject({ counts: { unknown: 201 }, deliveries: { length: 200 } });
});

test('the page shows what each webhook is, its headers without credentials, and its body as it came', async () => {
  secrets = [newSigningSecret()];
  const entry = '"event":"updated","collection_id":"stripe:customer","upstream_id":"cus_1"';
  const body = `{"event":{${entry},"data":{"n":9007199254740993,"list":[],"text":"a, \\"b\\": {"}}}`;
  await send(secrets[0]!, body, new Date(Date.now() - 3_000), { authorization: 'Bearer hidden' });
  const page = await (await request(receiver.pageUrl)).body.text();
  expect(page).toContain('<b>updated stripe:customer cus_1</b>');
  expect(page).toContain('<span class="verified">✓ Signature verified</span>');
  expect(page).toContain('<dt>webhook-id</dt><dd>evt_1</dd>');
  expect(page).toMatch(/<dt>webhook-timestamp<\/dt><dd>\d{10} \(2\S+Z, \d+ s before it came\)/u);
  expect(page).toMatch(/<dt>webhook-signature<\/dt><dd>v1,\S+<\/dd>/u);
  expect(page).toContain('<dt>authorization</dt><dd>••••</dd>');
  expect(page).not.toContain('hidden');
  const shown = /<pre[^>]*>(.*?)<\/pre>/su.exec(page)?.[1]?.replaceAll('&quot;', '"');
  expect(shown).toBe(`{
  "event": {
    "event": "updated",
    "collection_id": "stripe:customer",
    "upstream_id": "cus_1",
    "data": {
      "n": 9007199254740993,
      "list": [],
      "text": "a, \\"b\\": {"
    }
  }
}`);
  const { deliveries } = (await (await request(`${receiver.pageUrl}deliveries`)).body.json()) as {
    deliveries: { headers: Record<string, string> }[];
  };
  expect(deliveries[0]?.headers).toMatchObject({ 'webhook-id': 'evt_1', authorization: '••••' });
});

test('the page says what a refused webhook was answered, how much of a body is left out, and stops reloading', async () => {
  secrets = [newSigningSecret()];
  await send(newSigningSecret(), `{"text":"${'x'.repeat(3_000)}"}`);
  const page = await (await request(receiver.pageUrl)).body.text();
  expect(page).toContain('✕ Answered 401');
  expect(page).toContain('<b>evt_1</b>');
  expect(page).toContain('… and 1011 of 3011 bytes more');
  expect(page).toContain('http-equiv="refresh"');
  const still = await (await request(`${receiver.pageUrl}?still`)).body.text();
  expect(still).not.toContain('http-equiv="refresh"');
  expect(still).toContain('<b>evt_1</b>');
});

test('a request for a foreign host name that resolves to loopback is refused', async () => {
  const { statusCode, body } = await request(receiver.pageUrl, {
    headers: { host: 'evil.example' },
  });
  await body.dump();
  expect(statusCode).toBe(421);
});

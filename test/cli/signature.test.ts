import { createHmac, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { explainSignature, type Received } from '../../src/cli/explainSignature.ts';
import { createSigner } from '../../src/egress/signing.ts';
import { runCli } from '../support/cli.ts';

const SECRET = `whsec_${randomBytes(32).toString('base64')}`;
const OTHER = `whsec_${randomBytes(32).toString('base64')}`;
const NOW = 1_790_000_000;
const BODY = '{"event":{"name":"Ä \\u00e9","n":1.50,"list":[1,2],"a":{"z":1,"b":2}}}';
/** What JSON.stringify makes of it. */
const AGAIN = JSON.stringify(JSON.parse(BODY));

function received(fields: Partial<Omit<Received, 'body'>> & { body?: string } = {}): Received {
  const id = 'evt_1';
  const signature = createSigner([SECRET])(id, NOW, BODY);
  const { body = BODY, ...rest } = fields;
  return {
    secret: SECRET,
    id,
    timestamp: String(NOW),
    signature,
    ...rest,
    body: Buffer.from(body),
  };
}

const judge = (one: Received, toleranceS: number | null = 300) =>
  explainSignature(one, { nowS: NOW + 10, toleranceS });

test('a webhook that Millrace signs is valid, even when a second secret signs as well', () => {
  expect(judge(received())).toMatchObject({ ok: true, code: 'valid' });
  const signature = createSigner([OTHER, SECRET])('evt_1', NOW, BODY);
  expect(judge(received({ signature }))).toMatchObject({ ok: true });
});

/** Signed as it should be, over another body than the one that is checked. */
function signedOver(original: string, body: string): Received {
  return received({ body, signature: createSigner([SECRET])('evt_1', NOW, original) });
}

const hmac = (key: Buffer | string, content: string): string =>
  `v1,${createHmac('sha256', key).update(content).digest('base64')}`;

test.each<[string, Received, string, RegExp]>([
  [
    'a missing header',
    received({ signature: null, id: null }),
    'missing_header',
    /webhook-id and webhook-signature are missing/u,
  ],
  [
    'an empty header',
    received({ timestamp: '' }),
    'missing_header',
    /webhook-timestamp is missing/u,
  ],
  [
    'a secret that is none',
    received({ secret: 'whsec_!!' }),
    'bad_secret',
    /whsec_ followed by base64/u,
  ],
  ['a hex signature', received({ signature: 'ab'.repeat(32) }), 'bad_signature_format', /hex/u],
  [
    'a webhook that is old',
    received({
      timestamp: String(NOW - 900),
      signature: createSigner([SECRET])('evt_1', NOW - 900, BODY),
    }),
    'outside_tolerance',
    /910 s old/u,
  ],
  [
    'one of the future',
    received({
      timestamp: String(NOW + 900),
      signature: createSigner([SECRET])('evt_1', NOW + 900, BODY),
    }),
    'outside_tolerance',
    /890 s in the future/u,
  ],
  [
    'swapped headers',
    received({ id: String(NOW), timestamp: 'evt_1' }),
    'id_and_timestamp_swapped',
    /swapped/u,
  ],
  [
    'a body printed indented',
    signedOver(AGAIN, JSON.stringify(JSON.parse(BODY), null, 2)),
    'body_changed',
    /parsed and serialized again/u,
  ],
  [
    'a body printed by Python',
    signedOver(AGAIN, pythonDumps(JSON.parse(BODY))),
    'body_changed',
    /parsed and serialized again/u,
  ],
  [
    'a body with a line break added',
    signedOver(BODY, `${BODY}\n`),
    'body_changed',
    /line break at its end/u,
  ],
  [
    'the secret as text',
    received({ signature: hmac(SECRET, `evt_1.${NOW}.${BODY}`) }),
    'secret_not_decoded',
    /whsec_ included/u,
  ],
  [
    'the secret without its prefix as text',
    received({ signature: hmac(SECRET.slice(6), `evt_1.${NOW}.${BODY}`) }),
    'secret_not_decoded',
    /not decoded/u,
  ],
  [
    'a signature over the body alone',
    received({ signature: hmac(Buffer.from(SECRET.slice(6), 'base64'), BODY) }),
    'wrong_content',
    /the body alone/u,
  ],
  ['another secret', received({ secret: OTHER }), 'no_match', /another target or was rotated/u],
])('%s is reported', (_title, one, code, finding) => {
  const verdict = judge(one);
  expect(verdict).toMatchObject({ ok: false, code });
  expect(verdict.finding).toMatch(finding);
  expect(verdict.fix).not.toBeNull();
});

test('with any tolerance an old webhook is valid', () => {
  const old = received({
    timestamp: '1000000000',
    signature: createSigner([SECRET])('evt_1', 1_000_000_000, BODY),
  });
  expect(judge(old, null).ok).toBe(true);
});

function pythonDumps(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonDumps).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(([key, one]) => `"${key}": ${pythonDumps(one)}`);
  return `{${fields.join(', ')}}`;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-signature-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('the command reads headers and body from files or stdin, and exits with 0 or 1', async () => {
  const now = Math.floor(Date.now() / 1_000);
  const headers = join(folder, 'headers.txt');
  await writeFile(
    headers,
    `POST /hook HTTP/1.1\r\nWebhook-Id: evt_1\r\nwebhook-timestamp: ${now}\r\nWebhook-Signature: ${createSigner([SECRET])('evt_1', now, BODY)}\r\n`,
  );
  const flags = ['--secret', SECRET, '--header-file', headers, '--body', '-'];
  const good = await runCli(['signature', 'verify', ...flags], {}, { input: BODY });
  expect(good).toMatchObject({ code: 0, stdout: 'Signature  valid\n', stderr: '' });
  const bad = await runCli(
    ['signature', 'explain', ...flags, '--json'],
    {},
    { input: `${BODY}\n` },
  );
  expect(bad.code).toBe(1);
  expect(JSON.parse(bad.stdout)).toMatchObject({ ok: false, code: 'body_changed' });
});

import { createHmac, timingSafeEqual } from 'node:crypto';

/** A webhook as it was received. */
export interface Received {
  secret: string;
  id: string | null;
  timestamp: string | null;
  signature: string | null;
  body: Buffer;
}

/** Whether a signature is valid, and if not, why. */
export interface Verdict {
  ok: boolean;
  /** Names the mistake for machines; stable. */
  code:
    | 'valid'
    | 'missing_header'
    | 'bad_secret'
    | 'bad_timestamp'
    | 'bad_signature_format'
    | 'outside_tolerance'
    | 'body_changed'
    | 'secret_not_decoded'
    | 'id_and_timestamp_swapped'
    | 'wrong_content'
    | 'no_match';
  /** A sentence that names the mistake. */
  finding: string;
  /** What to do about it; null when there is nothing. */
  fix: string | null;
}

/** The libraries of Standard Webhooks refuse timestamps further away than this, in seconds. */
export const TOLERANCE_S = 300;

/**
 * Verifies a webhook by Standard Webhooks (spec, "Verifying signatures"). If that fails, it tries the
 * usual mistakes until one explains the signature. `toleranceS` null allows any age.
 */
export function explainSignature(
  { secret, id, timestamp, signature, body }: Received,
  { nowS, toleranceS }: { nowS: number; toleranceS: number | null },
): Verdict {
  const missing = Object.entries({ id, timestamp, signature })
    .filter(([, value]) => value === null || value === '')
    .map(([name]) => `webhook-${name}`);
  if (id === null || timestamp === null || signature === null || missing.length > 0) {
    return no(
      'missing_header',
      `${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} missing`,
      'Read the three headers as they came; names are case-insensitive, and a proxy may drop them',
    );
  }
  const key = decodedKey(secret);
  if (key === null) {
    return no(
      'bad_secret',
      'The secret is not whsec_ followed by base64',
      "Copy the target's signing_secret whole",
    );
  }
  const signatures = signature.split(' ').filter((one) => one.startsWith('v1,'));
  if (signatures.length === 0) {
    return no(
      'bad_signature_format',
      `The signature is not "v1," followed by base64${/^[\da-f]{64}$/iu.test(signature) ? '; it is hex' : ''}`,
      'Pass the whole webhook-signature header: v1,… with a space between several signatures',
    );
  }
  const matches = (prefix: string, content: Buffer, by: Buffer): boolean => {
    const expected = createHmac('sha256', by).update(prefix).update(content).digest();
    return signatures.some((one) => equal(Buffer.from(one.slice(3), 'base64'), expected));
  };
  const signed = `${id}.${timestamp}.`;
  if (matches(signed, body, key)) return judgeTime(timestamp, nowS, toleranceS);

  if (matches(`${timestamp}.${id}.`, body, key)) {
    return no(
      'id_and_timestamp_swapped',
      'The id and the timestamp are swapped',
      'The signed content is id.timestamp.body: webhook-id first, then webhook-timestamp',
    );
  }
  for (const [what, variant] of bodyVariants(body)) {
    if (!matches(signed, variant, key)) continue;
    return no(
      'body_changed',
      `The body is not byte for byte what was signed: ${what}`,
      'Verify the raw bytes of the request, before a JSON parser turns them into other bytes',
    );
  }
  for (const [what, wrongKey] of keyVariants(secret)) {
    if (!matches(signed, body, wrongKey)) continue;
    return no(
      'secret_not_decoded',
      `It was signed with ${what}`,
      'The key is the part after whsec_, decoded from base64',
    );
  }
  for (const [what, prefix] of [
    ['the body alone', ''],
    ['timestamp.body, without the id', `${timestamp}.`],
    ['id.body, without the timestamp', `${id}.`],
  ] as const) {
    if (!matches(prefix, body, key)) continue;
    return no(
      'wrong_content',
      `It was made over ${what}`,
      'The signed content is id.timestamp.body',
    );
  }
  return no(
    'no_match',
    'No common mistake explains it: the secret belongs to another target or was rotated, or the body, id or timestamp belongs to another webhook',
    'millrace targets rotate-secret gives a new secret; millrace targets test sends a fresh webhook to compare with',
  );
}

function judgeTime(timestamp: string, nowS: number, toleranceS: number | null): Verdict {
  if (!/^\d{1,12}$/u.test(timestamp)) {
    return no(
      'bad_timestamp',
      'The timestamp is not a whole number of Unix seconds',
      'Pass webhook-timestamp as it came',
    );
  }
  const age = nowS - Number(timestamp);
  if (toleranceS !== null && Math.abs(age) > toleranceS) {
    const when = age > 0 ? `${age} s old` : `${-age} s in the future`;
    return no(
      'outside_tolerance',
      `The signature is right, but the webhook is ${when} and ${toleranceS} s are tolerated`,
      'Compare the clocks of both sides (millrace doctor); --tolerance any accepts any age',
    );
  }
  return { ok: true, code: 'valid', finding: 'The signature is right', fix: null };
}

/** The bodies that may have been signed, if this one was serialized again or its line breaks were changed. */
function bodyVariants(body: Buffer): [what: string, body: Buffer][] {
  const text = body.toString('utf8');
  const variants: [string, string][] = [
    ['it has a line break at its end', text.replace(/\r?\n$/u, '')],
    ['its last line break is missing', `${text}\n`],
    ['its line breaks were changed', text.replaceAll('\r\n', '\n')],
    ['its line breaks were changed', text.replaceAll(/\r?\n/gu, '\r\n')],
    ['it has a byte order mark', text.replace(/^\uFEFF/u, '')],
  ];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return variants.map(([what, one]) => [what, Buffer.from(one)]);
  }
  const again = 'it was parsed and serialized again';
  const sorted = sortKeys(value);
  for (const one of [value, sorted]) {
    const compact = JSON.stringify(one);
    variants.push(
      [again, compact],
      [again, escaped(compact)],
      [again, JSON.stringify(one, null, 2)],
      [again, JSON.stringify(one, null, 4)],
      [again, spaced(one)],
      [again, escaped(spaced(one))],
    );
  }
  if (typeof value === 'string') variants.push(['it was serialized as a JSON string', value]);
  return variants.map(([what, one]) => [what, Buffer.from(one)]);
}

function keyVariants(secret: string): [what: string, key: Buffer][] {
  const encoded = secret.replace(/^whsec_/u, '');
  const variants: [string, Buffer][] = [
    ['the text of the secret, whsec_ included', Buffer.from(secret)],
    ['the text after whsec_, not decoded', Buffer.from(encoded)],
    ['the whole secret decoded, whsec_ included', Buffer.from(secret, 'base64')],
    ['the secret decoded as hex', Buffer.from(encoded, 'hex')],
  ];
  return variants.filter(([, key]) => key.length > 0);
}

/** Prints JSON as Python's `json.dumps` does, with a space after each comma and colon. */
function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(
    ([key, one]) => `${JSON.stringify(key)}: ${spaced(one)}`,
  );
  return `{${fields.join(', ')}}`;
}

/** Escapes everything beyond ASCII as \\uXXXX. */
function escaped(text: string): string {
  return text.replaceAll(
    /[\u0080-\uFFFF]/gu,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, one]) => [key, sortKeys(one)]));
}

function decodedKey(secret: string): Buffer | null {
  const encoded = secret.startsWith('whsec_') ? secret.slice('whsec_'.length) : secret;
  if (!/^[A-Za-z0-9+/]+={0,2}$/u.test(encoded)) return null;
  const key = Buffer.from(encoded, 'base64');
  return key.length === 0 ? null : key;
}

function equal(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function no(code: Verdict['code'], finding: string, fix: string): Verdict {
  return { ok: false, code, finding, fix };
}

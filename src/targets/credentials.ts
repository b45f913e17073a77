import { refuseField } from '../db/refusal.ts';
import type { Credentials, MaskedCredentials } from '../schema/target.ts';

/** The headers that carry the credentials in a request; a header name chosen by the user is as it was written. */
export function toHeaders(credentials: Credentials): Record<string, string> {
  switch (credentials.type) {
    case 'none':
    case 'oauth2': // the sender fetches the token and adds it
      return {};
    case 'basic': {
      const pair = Buffer.from(`${credentials.username}:${credentials.password}`); // RFC 7617
      return { authorization: `Basic ${pair.toString('base64')}` };
    }
    case 'bearer':
      return { authorization: `Bearer ${credentials.token}` };
    default:
      return { [credentials.name]: credentials.value };
  }
}

/** The secrets to mask in an answer that repeats the request. */
export function secretsOf(credentials: Credentials): string[] {
  switch (credentials.type) {
    case 'none':
      return [];
    case 'basic':
      return [
        credentials.password,
        toHeaders(credentials)['authorization']!.slice('Basic '.length),
      ];
    case 'bearer':
      return [credentials.token];
    case 'oauth2':
      return [credentials.client_secret];
    default:
      return [credentials.value];
  }
}

/** The credentials as the API shows them, their secrets masked. */
export function masked(credentials: Credentials): Credentials {
  switch (credentials.type) {
    case 'none':
      return credentials;
    case 'basic':
      return { ...credentials, password: mask(credentials.password) };
    case 'bearer':
      return { ...credentials, token: mask(credentials.token) };
    case 'oauth2':
      return { ...credentials, client_secret: mask(credentials.client_secret) };
    default:
      return { ...credentials, value: mask(credentials.value) };
  }
}

/** Credentials of which not even the type can be read, as the API shows them. */
export const UNREADABLE = { type: 'unreadable' } as const;

/**
 * Puts the stored secret in place of its mask; throws a `Refusal` for a mask of any other secret. A null
 * `stored` means that the stored secret can't be read; the result may then be null as well, and the stored one
 * is kept.
 */
export function unmasked(sent: MaskedCredentials, stored: Credentials | null): Credentials | null {
  switch (sent.type) {
    case 'unreadable':
      if (stored === null) return null;
      throw refuseField(
        '/credentials/type',
        'can be "unreadable" only while the stored credentials are',
      );
    case 'none':
      return sent;
    case 'basic': {
      const kept = stored?.type === 'basic' ? stored.password : null;
      return { ...sent, password: secret(sent.password, kept, 'password') };
    }
    case 'bearer': {
      const kept = stored?.type === 'bearer' ? stored.token : null;
      return { ...sent, token: secret(sent.token, kept, 'token') };
    }
    case 'oauth2': {
      const kept = stored?.type === 'oauth2' ? stored : null;
      const client_secret = secret(
        sent.client_secret,
        kept?.client_secret ?? null,
        'client_secret',
      );
      if (client_secret !== sent.client_secret) refuseMoved(sent.token_url, kept?.token_url);
      return { ...sent, client_secret };
    }
    default: {
      const kept = stored?.type === 'header' ? stored.value : null;
      return { ...sent, value: secret(sent.value, kept, 'value') };
    }
  }
}

/** The mask of another secret is refused: if it were stored, it would become the secret itself. */
function secret(sent: string, stored: string | null, field: string): string {
  if (stored !== null && sent === mask(stored)) return stored;
  if (!isMask(sent)) return sent;
  throw refuseField(
    `/credentials/${field}`,
    'is masked, but does not match the stored secret; send the secret itself',
  );
}

const SECRET_FIELD = {
  none: null,
  basic: 'password',
  bearer: 'token',
  oauth2: 'client_secret',
  header: 'value',
} as const;

/**
 * Throws a `Refusal` if credentials whose secret the caller kept as it is stored would be sent to another
 * origin: a caller that has never seen the secret could otherwise have it sent to a host of its own. Null means
 * that they can't be read, but may be again once their key is back.
 */
export function refuseElsewhere(kept: Credentials | null, to: string, from: string): void {
  const field = kept === null ? '' : SECRET_FIELD[kept.type];
  if (field === null || new URL(to).origin === URL.parse(from)?.origin) return;
  throw refuseField(
    kept === null ? '/credentials' : `/credentials/${field}`,
    'must be sent unmasked with a base_url of another scheme, host or port',
  );
}

/** Keeps a caller who has never seen the secret from having it sent to another origin. */
function refuseMoved(to: string, from: string | undefined): void {
  if (to === from) return;
  throw refuseField('/credentials/client_secret', 'must be sent unmasked with another token_url');
}

/**
 * Headers that the sender or HTTP itself sets, that are meant for one hop only (RFC 9110 §7.6.1), or
 * that change how the message is framed or read.
 */
const RESERVED =
  /^(host|content-(length|type|encoding|range)|user-agent|trace(parent|state)|connection|keep-alive|te|trailers?|transfer-encoding|upgrade|http2-settings|expect|proxy-.*|webhook-.*|millrace-.*)$/u;

/** Throws a `Refusal` for headers that may not be set, occur twice, or are set by the credentials. */
export function refuseHeaders(headers: Record<string, string>, credentials: Credentials): void {
  if (credentials.type === 'header' && RESERVED.test(credentials.name.toLowerCase())) {
    throw refuseField('/credentials/name', `must not be ${credentials.name}: Millrace sets it`);
  }
  const taken = new Set(Object.keys(toHeaders(credentials)).map((name) => name.toLowerCase()));
  if (credentials.type === 'oauth2') taken.add('authorization');
  const seen = new Set<string>();
  for (const name of Object.keys(headers)) {
    const lower = name.toLowerCase();
    // A header name may contain "~", which RFC 6901 writes as ~0.
    const pointer = `/headers/${name.replaceAll('~', '~0')}`;
    if (RESERVED.test(lower)) throw refuseField(pointer, 'must not be set: Millrace sets it');
    if (taken.has(lower)) throw refuseField(pointer, 'is already set by the credentials');
    if (seen.has(lower)) throw refuseField(pointer, 'is given twice');
    seen.add(lower);
  }
}

/** Whether a text has the form of a mask. */
export function isMask(text: string): boolean {
  return /^••••.{0,4}$/u.test(text);
}

/** `••••` and the last four characters; a short secret shows none of them. */
export function mask(secret: string): string {
  return `••••${secret.length < 12 ? '' : secret.slice(-4)}`;
}

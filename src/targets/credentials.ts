import { refuseField } from '../db/refusal.ts';
import type { Credentials } from '../schema/target.ts';

/** What a request needs to carry them; names in lower case. */
export function toHeaders(credentials: Credentials): Record<string, string> {
  switch (credentials.type) {
    case 'none':
    case 'oauth2': // its token is fetched, and added by the sender
      return {};
    case 'basic': {
      const pair = Buffer.from(`${credentials.username}:${credentials.password}`); // RFC 7617
      return { authorization: `Basic ${pair.toString('base64')}` };
    }
    case 'bearer':
      return { authorization: `Bearer ${credentials.token}` };
    default:
      return { [credentials.name.toLowerCase()]: credentials.value };
  }
}

/** What must not be shown where an endpoint repeats what it was sent. */
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

/** As the API shows them. */
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

/** What a change sends, with the stored secret in place of its own mask; refuses a mask of anything else. */
export function unmasked(sent: Credentials, stored: Credentials): Credentials {
  switch (sent.type) {
    case 'none':
      return sent;
    case 'basic': {
      const kept = stored.type === 'basic' ? stored.password : null;
      return { ...sent, password: secret(sent.password, kept, 'password') };
    }
    case 'bearer': {
      const kept = stored.type === 'bearer' ? stored.token : null;
      return { ...sent, token: secret(sent.token, kept, 'token') };
    }
    case 'oauth2': {
      const kept = stored.type === 'oauth2' ? stored : null;
      const client_secret = secret(
        sent.client_secret,
        kept?.client_secret ?? null,
        'client_secret',
      );
      if (client_secret !== sent.client_secret) refuseMoved(sent.token_url, kept?.token_url);
      return { ...sent, client_secret };
    }
    default: {
      const kept = stored.type === 'header' ? stored.value : null;
      return { ...sent, value: secret(sent.value, kept, 'value') };
    }
  }
}

/** A mask that is not the stored one's would be stored as the secret itself; nobody means that. */
function secret(sent: string, stored: string | null, field: string): string {
  if (stored !== null && sent === mask(stored)) return stored;
  if (!/^••••.{0,4}$/u.test(sent)) return sent;
  throw refuseField(
    `/credentials/${field}`,
    'is masked, but is not the mask of what is stored; send the secret itself',
  );
}

/** A secret that whoever changes the target never saw would be sent elsewhere. */
function refuseMoved(to: string, from: string | undefined): void {
  if (to === from) return;
  throw refuseField('/credentials/client_secret', 'must be sent whole with another token_url');
}

/**
 * Set by the sender, by HTTP itself, meant for one hop only (RFC 9110 §7.6.1), or changing how the
 * message is framed or read.
 */
const RESERVED =
  /^(host|content-(length|type|encoding|range)|user-agent|trace(parent|state)|connection|keep-alive|te|trailers?|transfer-encoding|upgrade|http2-settings|expect|proxy-.*|webhook-.*|millrace-.*)$/u;

/** Refuses headers that may not be set, are there twice, or are set by the credentials. */
export function refuseHeaders(headers: Record<string, string>, credentials: Credentials): void {
  if (credentials.type === 'header' && RESERVED.test(credentials.name.toLowerCase())) {
    throw refuseField('/credentials/name', `may not be ${credentials.name}: the sender sets it`);
  }
  const taken = new Set(Object.keys(toHeaders(credentials)));
  if (credentials.type === 'oauth2') taken.add('authorization');
  const seen = new Set<string>();
  for (const name of Object.keys(headers)) {
    const lower = name.toLowerCase();
    // A header name may hold "~", which RFC 6901 writes as ~0.
    const pointer = `/headers/${name.replaceAll('~', '~0')}`;
    if (RESERVED.test(lower)) throw refuseField(pointer, 'may not be set: the sender sets it');
    if (taken.has(lower)) throw refuseField(pointer, 'is set by the credentials');
    if (seen.has(lower)) throw refuseField(pointer, 'is there twice');
    seen.add(lower);
  }
}

/** `••••` and the last four characters; a short secret shows none of them. */
export function mask(secret: string): string {
  return `••••${secret.length < 12 ? '' : secret.slice(-4)}`;
}

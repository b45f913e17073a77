import { refuseField } from '../db/refusal.ts';
import type { Vault } from '../db/vault.ts';
import { CannotStart } from '../rules/startFault.ts';
import { isSecretHeader } from '../schema/secretHeader.ts';
import { isMask, mask } from './credentials.ts';
import { parsed, unseal } from './unseal.ts';

/** A target's own headers, by name. */
export type Headers = Record<string, string>;

/** The part of a row of `targets` that holds its own headers. */
export interface HeadersRow {
  id: string;
  /** The headers without credentials; also those with credentials that were saved before such headers were sealed. */
  headers: Headers;
  /** The headers with credentials, sealed. */
  secret_headers: string | null;
}

/** The place that the secret headers of a target are sealed to. */
const SECRET_HEADERS = (id: string): string => `targets:secret_headers:${id}`;

/** All headers of a stored target, unsealed; throws `CannotStart` when they can't be read. */
export function openHeaders(row: HeadersRow, vault: Vault): Headers {
  if (row.secret_headers === null) return row.headers;
  const unreadable = (why: string): CannotStart =>
    new CannotStart(
      'credentials_unreadable',
      `The stored value of the target's secret headers ${why}: save the headers again, or add back the key that sealed them`,
    );
  const text = unseal(vault, row.secret_headers, SECRET_HEADERS(row.id), unreadable);
  const secret = parsed(text) as Headers | undefined;
  if (secret === undefined) throw unreadable('is not JSON');
  return Object.fromEntries([...Object.entries(row.headers), ...Object.entries(secret)]);
}

/** The stored form of a target's headers: those that carry credentials are sealed. */
export function sealHeaders(
  id: string,
  headers: Headers,
  vault: Vault,
): Pick<HeadersRow, 'headers' | 'secret_headers'> {
  const all = Object.entries(headers);
  const secret = all.filter(([name]) => isSecretHeader(name));
  return {
    headers: Object.fromEntries(all.filter(([name]) => !isSecretHeader(name))),
    secret_headers:
      secret.length === 0
        ? null
        : vault.seal(JSON.stringify(Object.fromEntries(secret)), SECRET_HEADERS(id)),
  };
}

/** The headers as the API shows them, those that carry credentials masked. */
export function maskedHeaders(headers: Headers): Headers {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      isSecretHeader(name) ? mask(value) : value,
    ]),
  );
}

/**
 * Puts the stored value in place of its mask, by names in any case; throws a `Refusal` for the mask of any other
 * value, and for a mask where nothing is masked.
 */
export function unmaskedHeaders(sent: Headers, stored: Headers): Headers {
  const byName = new Map(
    Object.entries(stored).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const all = Object.entries(sent).map(([name, value]) => {
    if (!isMask(value)) return [name, value];
    const kept = isSecretHeader(name) ? byName.get(name.toLowerCase()) : undefined;
    if (kept !== undefined && value === mask(kept)) return [name, kept];
    throw refuseField(
      pointerTo(name),
      'is masked, but does not match the stored value; send the value itself',
    );
  });
  return Object.fromEntries(all) as Headers;
}

/**
 * Throws a `Refusal` if a header that carries credentials and that the caller left as it is stored would be
 * sent to another origin. `sent` is undefined when the caller left all headers as they are. A null `headers`
 * means that some can't be read; these are kept, and may be read again once their key is back.
 */
export function refuseHeadersElsewhere(
  { sent, headers }: { sent: Headers | undefined; headers: Headers | null },
  to: string,
  from: string,
): void {
  if (new URL(to).origin === URL.parse(from)?.origin) return;
  if (headers === null) throw refuseField('/headers', UNMASKED);
  for (const name of Object.keys(headers)) {
    if (!isSecretHeader(name) || (sent !== undefined && !isMask(sent[name] ?? ''))) continue;
    throw refuseField(pointerTo(name), UNMASKED);
  }
}

const UNMASKED = 'must be sent unmasked with a base_url of another scheme, host or port';

/** A part of a value shorter than this is not searched for, because that would hide text that is not secret. */
const SHORTEST_PART = 8;

/** The texts to mask in an answer that repeats a request: each secret value, and its parts, as after `Bearer`. */
export function secretsOfHeaders(headers: Headers): string[] {
  return Object.entries(headers).flatMap(([name, value]) => {
    if (!isSecretHeader(name) || value === '') return [];
    const parts = value.split(/[\s,;=]+/u).filter((part) => part.length >= SHORTEST_PART);
    return [...new Set([value, ...parts])];
  });
}

/** The place of a header in a request. A name may contain "~", which RFC 6901 writes as ~0. */
function pointerTo(name: string): string {
  return `/headers/${name.replaceAll('~', '~0')}`;
}

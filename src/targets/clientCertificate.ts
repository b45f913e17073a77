import { refuseField } from '../db/refusal.ts';
import type { Vault } from '../db/vault.ts';
import {
  contextFault,
  readClientCertificate,
  type UsableCertificate,
} from '../egress/clientCertificate.ts';
import { CannotStart } from '../rules/startFault.ts';
import { ClientCertificateInput, type ClientCertificate } from '../schema/clientCertificate.ts';
import { parsed, unseal } from './unseal.ts';

/** The part of a row of `targets` that holds its client certificate; null in all columns: it has none. */
export interface CertificateRow {
  id: string;
  /** Sealed, with its key. */
  client_certificate: string | null;
  client_certificate_shown: Omit<ClientCertificate, 'valid_until'> | null;
  client_certificate_ends: string | null;
}

const NONE = {
  client_certificate: null,
  client_certificate_shown: null,
  client_certificate_ends: null,
};

/** The place that a client certificate is sealed to. */
const CLIENT_CERTIFICATE = (id: string): string => `targets:client_certificate:${id}`;

/** Throws a `Refusal` unless a client certificate is null, or can be used now and for this URL. */
export function refuseClientCertificate(
  input: ClientCertificateInput | null,
  baseUrl: string,
): void {
  if (input === null) return;
  needUsable(input);
  if (URL.parse(baseUrl)?.protocol !== 'https:') {
    throw refuseField('/client_certificate', 'can be used only with a base_url of https://');
  }
}

function needUsable(input: ClientCertificateInput): UsableCertificate {
  const read = readClientCertificate(input, Date.now());
  if ('detail' in read) throw refuseField(`/client_certificate/${read.field}`, read.detail);
  return read;
}

/** The stored form of a client certificate; throws a `Refusal` for one that can't be used now. */
export function sealClientCertificate(
  id: string,
  input: ClientCertificateInput | null,
  vault: Vault,
): Omit<CertificateRow, 'id'> {
  if (input === null) return NONE;
  const { pem, shown: all } = needUsable(input);
  const { valid_until, ...shown } = all;
  return {
    client_certificate: vault.seal(JSON.stringify(pem), CLIENT_CERTIFICATE(id)),
    client_certificate_shown: shown,
    client_certificate_ends: valid_until,
  };
}

const unreadable = (why: string): CannotStart =>
  new CannotStart(
    'certificate_unreadable',
    `The stored value of the target's client certificate ${why}: save it again with its key, or add back the key that sealed it`,
  );

/** The client certificate of a stored target, unsealed; throws `CannotStart` when it can't be read. */
export function openClientCertificate(
  row: CertificateRow,
  vault: Vault,
): ClientCertificateInput | null {
  if (row.client_certificate === null) return null;
  const place = CLIENT_CERTIFICATE(row.id);
  const text = unseal(vault, row.client_certificate, place, unreadable);
  const read = ClientCertificateInput.safeParse(parsed(text));
  if (!read.success) throw unreadable('has a form that this version does not know');
  return read.data;
}

/** Throws `CannotStart` for a stored client certificate that OpenSSL does not take; one that has ended it does take. */
export function needClientCertificate(stored: ClientCertificateInput | null): void {
  const fault = stored === null ? null : contextFault(stored);
  if (fault !== null) throw unreadable(fault);
}

/** What is shown of a target's client certificate; null when it has none. */
export function shownCertificate({
  client_certificate_shown: shown,
  client_certificate_ends: ends,
}: CertificateRow): ClientCertificate | null {
  return shown === null || ends === null ? null : { ...shown, valid_until: ends };
}

/**
 * Throws a `Refusal` if a client certificate that the caller left as it is stored would be shown to another origin: a
 * caller who does not have its key could otherwise act under its name elsewhere.
 */
export function refuseCertificateElsewhere(
  { client_certificate: kept }: Pick<CertificateRow, 'client_certificate'>,
  to: string,
  from: string,
): void {
  if (kept === null || new URL(to).origin === URL.parse(from)?.origin) return;
  throw refuseField(
    '/client_certificate',
    'must be sent again with its key, or as null, with a base_url of another scheme, host or port',
  );
}

import { Refusal, refuseField } from '../db/refusal.ts';
import type { Egress } from '../egress/egress.ts';
import type { TargetInput } from '../schema/target.ts';
import { refuseCertificates } from './certificates.ts';
import { refuseClientCertificate } from './clientCertificate.ts';
import { refuseHeaders } from './credentials.ts';

/** The settings that decide where and how requests are sent. */
export type RequestSettings = Pick<
  TargetInput,
  'base_url' | 'headers' | 'credentials' | 'ca' | 'client_certificate'
>;

/** Throws a `Refusal` with a pointer for unusable headers or certificates and for refused addresses. */
export function refuseRequestSettings(
  settings: RequestSettings,
  egress: Pick<Egress, 'refusal'>,
): void {
  const { base_url, headers, credentials, ca, client_certificate } = settings;
  refuseHeaders(headers, credentials);
  refuseCertificates(ca);
  refuseClientCertificate(client_certificate, base_url);
  refuseAddress('/base_url', base_url, egress);
  if (credentials.type === 'oauth2') {
    refuseAddress('/credentials/token_url', credentials.token_url, egress);
  }
}

function refuseAddress(pointer: string, url: string, egress: Pick<Egress, 'refusal'>): void {
  // Only a stored URL that was damaged is still unread here.
  if (!URL.canParse(url)) throw refuseField(pointer, 'must be an http or https URL');
  const why = egress.refusal(url);
  if (why === null) return;
  const detail = `${pointer} ${why}`;
  throw new Refusal({ status: 422, code: 'address_refused', detail, pointer });
}

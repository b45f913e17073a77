import type { Vault } from '../db/vault.ts';
import { CannotStart } from '../rules/startFault.ts';
import type { UnreadableSecret } from '../schema/target.ts';
import { openClientCertificate, type CertificateRow } from './clientCertificate.ts';
import { openHeaders, type HeadersRow } from './secretHeaders.ts';
import {
  openCredentials,
  openPrevious,
  openSigningSecret,
  type SealedRow,
} from './targetSecrets.ts';

const OPEN = {
  credentials: openCredentials,
  headers: openHeaders,
  signing_secret: openSigningSecret,
  previous_signing_secret: openPrevious,
  client_certificate: openClientCertificate,
} satisfies Record<UnreadableSecret, unknown>;

/** Which of a target's secrets can't be read, each with a sentence that says why and what to do; empty when all can. */
export function unreadableSecrets(
  row: SealedRow & HeadersRow & CertificateRow & { previous_signs?: boolean },
  vault: Vault,
): { secret: UnreadableSecret; note: string }[] {
  const found: { secret: UnreadableSecret; note: string }[] = [];
  for (const secret of Object.keys(OPEN) as UnreadableSecret[]) {
    try {
      OPEN[secret](row, vault);
    } catch (error) {
      if (!(error instanceof CannotStart)) throw error;
      found.push({ secret, note: error.message });
    }
  }
  return found;
}

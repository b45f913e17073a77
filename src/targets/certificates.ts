import { X509Certificate } from 'node:crypto';

import { refuseField } from '../db/refusal.ts';
import { CannotStart } from '../rules/startFault.ts';

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/gu;

/** Throws a `Refusal` unless `ca` is null or a bundle of PEM certificates, with any text between them. */
export function refuseCertificates(ca: string | null): void {
  if (ca === null) return;
  const blocks = [...ca.matchAll(BLOCK)];
  if (blocks.length === 0) throw refuseField('/ca', 'must hold PEM certificates');
  const isOther = blocks.some(([, kind = '']) => !/^(?:TRUSTED |X509 )?CERTIFICATE$/u.test(kind));
  if (isOther || /PRIVATE KEY/u.test(ca)) {
    throw refuseField('/ca', 'must hold certificates only, and no private key');
  }
  blocks.forEach(([block], index) => {
    if (!isCertificate(block)) {
      throw refuseField('/ca', `certificate ${index + 1} can't be read`);
    }
  });
}

/** Throws `CannotStart` unless the stored `ca` is null or holds certificates that can be read. */
export function needCertificates(ca: string | null): void {
  try {
    refuseCertificates(ca);
  } catch (error) {
    const detail = "The target's ca can't be read as PEM certificates: save it again";
    throw new CannotStart('certificate_unreadable', detail, { cause: error });
  }
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false; // OpenSSL's error would not help the caller to find the fault in the text
  }
}

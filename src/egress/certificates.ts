import { X509Certificate } from 'node:crypto';

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/gu;

/** Why a text is no bundle of PEM certificates, with any text between them; null when it is one. */
export function certificatesFault(ca: string): string | null {
  const blocks = [...ca.matchAll(BLOCK)];
  if (blocks.length === 0) return 'must hold PEM certificates';
  const isOther = blocks.some(([, kind = '']) => !/^(?:TRUSTED |X509 )?CERTIFICATE$/u.test(kind));
  if (isOther || /PRIVATE KEY/u.test(ca)) return 'must hold certificates only, and no private key';
  const unread = blocks.findIndex(([block]) => !isCertificate(block));
  return unread === -1 ? null : `certificate ${unread + 1} can't be read`;
}

/** The PEM blocks of a bundle in which `certificatesFault` finds no fault. */
export function certificatesIn(ca: string): string[] {
  return [...ca.matchAll(BLOCK)].map(([block]) => block);
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false; // OpenSSL's error would not help the caller to find the fault in the text
  }
}

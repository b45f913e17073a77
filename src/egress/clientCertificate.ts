import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { createSecureContext } from 'node:tls';

import type { ClientCertificate, ClientCertificateInput } from '../schema/clientCertificate.ts';
import { certificatesFault, certificatesIn } from './certificates.ts';

/** What is wrong with a client certificate, in words that follow the name of the field. */
export interface CertificateFault {
  field: keyof ClientCertificateInput;
  detail: string;
}

/** A client certificate that can be used. */
export interface UsableCertificate {
  /** The PEM blocks alone, without what stood around them. Never log it. */
  pem: ClientCertificateInput;
  shown: ClientCertificate;
}

/** Clocks of those who issue certificates may be ahead of ours, ms. */
const AHEAD_MS = 300_000;

/**
 * Reads a client certificate, or says what is wrong with it: it can't be read, its key is encrypted or belongs to another
 * one, its chain is not in order, it is not valid at the time `now` (unix ms), or OpenSSL does not take it.
 */
export function readClientCertificate(
  { certificate, key }: ClientCertificateInput,
  now: number,
): UsableCertificate | CertificateFault {
  const unread = certificatesFault(certificate);
  if (unread !== null) return { field: 'certificate', detail: unread };
  const blocks = certificatesIn(certificate);
  const chain = blocks.map((block) => new X509Certificate(block));
  const read = readKey(key);
  if ('detail' in read) return read;
  const fault = keyFault(chain, read.key) ?? chainFault(chain) ?? dateFault(chain, now);
  if (fault !== null) return fault;
  const pem = { certificate: `${blocks.join('\n')}\n`, key: `${read.block}\n` };
  const unused = contextFault(pem);
  if (unused !== null) return { field: 'certificate', detail: unused };
  return { pem, shown: shownOf(chain) };
}

/** Why OpenSSL does not take a certificate and its key; null when it does. */
export function contextFault({ certificate, key }: ClientCertificateInput): string | null {
  try {
    createSecureContext({ cert: certificate, key });
    return null;
  } catch (error) {
    const { code } = error as { code?: unknown }; // the message might quote the text
    return `can't be used for TLS (${typeof code === 'string' ? code : 'unknown error'})`;
  }
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----/gsu;
const DECRYPT =
  'is encrypted, and has to be sent decrypted, for example by openssl pkey -in KEY -out DECRYPTED';

function readKey(text: string): { key: KeyObject; block: string } | CertificateFault {
  const fault = (detail: string): CertificateFault => ({ field: 'key', detail });
  const blocks = [...text.matchAll(BLOCK)].filter(([, kind]) => kind !== 'EC PARAMETERS');
  const [first] = blocks;
  if (first === undefined) return fault('must hold a private key as PEM');
  const [block, kind = ''] = first;
  if (blocks.length > 1 || !kind.endsWith('PRIVATE KEY')) {
    return fault('must hold one private key and nothing else');
  }
  if (kind.startsWith('ENCRYPTED') || block.includes('4,ENCRYPTED')) return fault(DECRYPT);
  try {
    return { key: createPrivateKey(block), block };
  } catch {
    return fault("can't be read as a private key"); // OpenSSL's error would not help to find the fault
  }
}

function keyFault(chain: readonly X509Certificate[], key: KeyObject): CertificateFault | null {
  const at = chain.findIndex((one) => one.checkPrivateKey(key));
  if (at === 0) return null;
  if (at === -1) return { field: 'key', detail: 'does not belong to the certificate' };
  const detail = `must begin with the certificate of the key, which is number ${at + 1}`;
  return { field: 'certificate', detail };
}

function chainFault(chain: readonly X509Certificate[]): CertificateFault | null {
  const at = chain.findIndex((one, index) => {
    const issuer = chain[index + 1];
    return issuer !== undefined && !isIssuedBy(one, issuer);
  });
  if (at === -1) return null;
  const detail = `must be a chain in order, and number ${at + 2} has not issued number ${at + 1}`;
  return { field: 'certificate', detail };
}

function isIssuedBy(one: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return one.checkIssued(issuer) && one.verify(issuer.publicKey);
  } catch {
    return false; // its key is of a kind that can't have signed it
  }
}

function dateFault(chain: readonly X509Certificate[], now: number): CertificateFault | null {
  for (const [index, { validFromDate, validToDate }] of chain.entries()) {
    const which = index === 0 ? '' : `holds a certificate (number ${index + 1}) that `;
    if (validToDate.getTime() <= now) {
      const detail = `${which}has expired: it was valid until ${validToDate.toISOString()}`;
      return { field: 'certificate', detail };
    }
    if (validFromDate.getTime() > now + AHEAD_MS) {
      const detail = `${which}is not valid before ${validFromDate.toISOString()}`;
      return { field: 'certificate', detail };
    }
  }
  return null;
}

function shownOf(chain: readonly X509Certificate[]): ClientCertificate {
  const [own] = chain as [X509Certificate];
  const ends = chain.map(({ validToDate }) => validToDate.getTime());
  return {
    subject: inOneLine(own.subject),
    issuer: inOneLine(own.issuer),
    valid_from: own.validFromDate.toISOString(),
    valid_until: new Date(Math.min(...ends)).toISOString(),
    fingerprint: own.fingerprint256,
  };
}

/** A name has a line for each of its parts; it may have none. */
function inOneLine(name: string | undefined): string {
  return (name ?? '').trim().replaceAll('\n', ', ');
}

/** A client certificate with its key, as PEM texts. */
export interface CertificateDraft {
  certificate: string;
  key: string;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/gu;

/** What a PEM text holds: certificates and private keys, which may be in one file; empty texts for what it lacks. */
export function pemParts(text: string): CertificateDraft {
  const blocks = [...text.matchAll(BLOCK)].map(([block, kind = '']) => ({ block, kind }));
  const those = (isOne: (kind: string) => boolean): string =>
    blocks
      .filter(({ kind }) => isOne(kind))
      .map(({ block }) => `${block}\n`)
      .join('');
  return {
    certificate: those((kind) => kind.endsWith('CERTIFICATE')),
    key: those((kind) => kind.endsWith('PRIVATE KEY')),
  };
}

/** What is wrong with the text of a certificate, as far as it can be seen here. */
export function certificateFault(text: string): string | null {
  if (text.trim() === '') return 'Fill in the certificate as PEM.';
  const { certificate, key } = pemParts(text);
  if (key !== '')
    return 'The certificate must not hold the private key: put it into its own field.';
  return certificate === '' ? notPem('certificate') : null;
}

/** What is wrong with the text of a private key, as far as it can be seen here. */
export function keyFault(text: string): string | null {
  if (text.trim() === '') return 'Fill in the private key of the certificate as PEM.';
  const { key } = pemParts(text);
  if (key === '') return notPem('private key');
  return /ENCRYPTED/u.test(key)
    ? 'The private key is encrypted: decrypt it first, for example by openssl pkey -in KEY -out DECRYPTED.'
    : null;
}

function notPem(what: string): string {
  return `The ${what} must be PEM: text that begins with -----BEGIN.`;
}

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** A key and the certificate that it has signed itself, as PEM. */
export interface Certificate {
  key: string;
  cert: string;
}

export interface CertificateOptions {
  /** Whose certificate it is. */
  subject?: string;
  /** Who signs it; itself if it is not given. */
  issuer?: Issued;
  /** It may sign others. */
  isAuthority?: boolean;
  /** DNS names it is for; 127.0.0.1 and localhost if they are not given. */
  names?: string[];
  /** Unix ms; a day from now if it is not given. */
  until?: number;
  /** Unix ms; an hour ago, or before `until`, if it is not given. */
  from?: number;
  /** Its key is RSA with so many bits, which only an issuer can sign; on P-256 if it is not given. */
  rsaBits?: number;
}

export interface Issued extends Certificate {
  subject: string;
}

/** For 127.0.0.1 and localhost, valid for a day; its own authority. */
export function selfSigned(): Certificate {
  return issue({ isAuthority: true });
}

/** A new key and a certificate for it: X.509 v3 (RFC 5280) in DER by hand. */
export function issue(options: CertificateOptions = {}): Issued {
  const { subject = 'Millrace test', isAuthority = false } = options;
  const { publicKey, privateKey } =
    options.rsaBits === undefined
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: options.rsaBits });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const issuer = options.issuer ?? { key, subject };
  const ecdsaSha256 = seq(oid('2a8648ce3d040302'));
  const until = options.until ?? Date.now() + 86_400_000;
  const names =
    options.names === undefined
      ? seq(der(0x82, Buffer.from('localhost')), der(0x87, Buffer.from([127, 0, 0, 1])))
      : seq(...options.names.map((one) => der(0x82, Buffer.from(one))));
  const extensions = seq(
    seq(oid('551d13'), TRUE, der(0x04, isAuthority ? seq(TRUE) : seq())), // basic constraints
    seq(oid('551d11'), der(0x04, names)), // subject alternative names
  );
  const body = seq(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaSha256,
    nameOf(issuer.subject),
    seq(time(options.from ?? Math.min(Date.now(), until) - 3_600_000), time(until)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  );
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', body, issuer.key)]);
  const cert = seq(body, ecdsaSha256, der(0x03, signature)).toString('base64');
  return {
    key,
    cert: `-----BEGIN CERTIFICATE-----\n${cert.replaceAll(/.{1,64}/gu, '$&\n')}-----END CERTIFICATE-----\n`,
    subject,
  };
}

function nameOf(subject: string): Buffer {
  return seq(set(seq(oid('550403'), der(0x0c, Buffer.from(subject)))));
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const bytes =
    length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...bytes]), content]);
}

const seq = (...parts: Buffer[]): Buffer => der(0x30, Buffer.concat(parts));
const set = (...parts: Buffer[]): Buffer => der(0x31, Buffer.concat(parts));
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const TRUE = der(0x01, Buffer.from([0xff]));

/** UTCTime */
function time(at: number): Buffer {
  const text = new Date(at).toISOString().replaceAll(/[-:T]|\.\d+/gu, '');
  return der(0x17, Buffer.from(text.slice(2)));
}

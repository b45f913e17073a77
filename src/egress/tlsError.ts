/** Sentences that say what a server requires, or what is wrong with its certificate, and what helps. */
const SENTENCES: [when: RegExp, sentence: string][] = [
  [
    /CERTIFICATE_REQUIRED|NO_CERTIFICATE/u,
    'the server requires a client certificate: set one as `client_certificate`',
  ],
  [
    /ALERT_CERTIFICATE_EXPIRED/u,
    'the server says that the client certificate has expired: set a new one as `client_certificate`',
  ],
  [
    /ALERT_CERTIFICATE_REVOKED/u,
    'the server says that the client certificate was revoked: set another one as `client_certificate`',
  ],
  [
    /ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|(?:UNSUPPORTED_)?CERTIFICATE(?:_UNKNOWN)?|ACCESS_DENIED)/u,
    'the server does not accept the client certificate, or requires one: set one that it trusts, with its whole chain, as `client_certificate`',
  ],
  [
    /NO_APPLICATION_PROTOCOL/u,
    'the server speaks HTTP/2 only: it has to accept HTTP/1.1 over TLS (ALPN http/1.1)',
  ],
  [
    /UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT/u,
    'an intermediate certificate is missing, or its authority is not a public one: configure the server to send its whole chain, or set the authority as `ca`',
  ],
  [
    /SELF_SIGNED_CERT_IN_CHAIN/u,
    'the certificate was issued by an authority that is not trusted: set that authority as `ca`',
  ],
  [
    /SELF_SIGNED/u,
    'the certificate is self-signed: use one of a public authority, or set it as `ca`',
  ],
  [/CERT_HAS_EXPIRED/u, 'the certificate has expired: renew it'],
  [/CERT_NOT_YET_VALID/u, 'the certificate is not valid yet: check its dates and the clocks'],
  [/CERT_REVOKED/u, 'the certificate was revoked: replace it'],
  [
    /ALTNAME_INVALID|HOSTNAME_MISMATCH/u,
    'the certificate is for another name: use one for the host name of the URL',
  ],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/u,
    'the server does not speak TLS at this port: use http://, or the port at which it speaks TLS',
  ],
  [
    /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW/u,
    'the server supports no accepted version of TLS: enable TLS 1.2 or 1.3',
  ],
  [
    /UNRECOGNIZED_NAME/u,
    'the server knows no host of this name: configure it for the host name of the URL',
  ],
  [
    /HANDSHAKE_FAILURE|NO_SHARED_CIPHER|INSUFFICIENT_SECURITY/u,
    'the server ended the TLS handshake: it may require a client certificate (`client_certificate`), or offer no common cipher',
  ],
];

const OF_TLS =
  /TLS|SSL|CERT|EPROTO|SELF_SIGNED|UNABLE_TO|ALTNAME|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH/u;

/** Why TLS failed, in a sentence with the code of OpenSSL or Node; null when the code is not of TLS. */
export function whyTlsFailed(code: string): string | null {
  if (!OF_TLS.test(code)) return null;
  const sentence = SENTENCES.find(([when]) => when.test(code))?.[1];
  return sentence === undefined ? `TLS failed (${code})` : `${sentence} (${code})`;
}

import type { AnswerRow } from '../../support/answerRow.ts';
import { issue, selfSigned } from '../../support/certificate.ts';

const own = selfSigned();
const other = issue({ isAuthority: true, names: ['other.test'] });
const old = issue({ isAuthority: true, until: Date.now() - 60_000 });
const root = issue({ isAuthority: true, subject: 'root' });
const intermediate = issue({ isAuthority: true, subject: 'intermediate', issuer: root });
const leaf = issue({ subject: 'leaf', issuer: intermediate });
const failed = { code: 'TLS_FAILED', phase: 'connect' } as const;
const NO_CLIENT = 'the server requires a client certificate: set one as `client_certificate`';

/** What TLS, and an endpoint of another protocol, can go wrong with. */
export const SECURE: AnswerRow[] = [
  {
    when: 'has a certificate that its `ca` vouches for, and answers 200',
    tls: () => ({ ...own, ca: own.cert }),
    kept: true,
  },
  {
    when: 'sends an intermediate certificate with its own, and answers 200',
    tls: () => ({ ...leaf, cert: leaf.cert + intermediate.cert, ca: root.cert }),
    kept: true,
  },
  {
    when: 'does not send its intermediate certificate',
    tls: () => ({ ...leaf, ca: root.cert }),
    ...failed,
    says: 'an intermediate certificate is missing, or its authority is not a public one: configure the server to send its whole chain, or set the authority as `ca`',
  },
  {
    when: 'has a self-signed certificate',
    tls: () => own,
    ...failed,
    says: 'the certificate is self-signed: use one of a public authority, or set it as `ca`',
  },
  {
    when: 'sends the certificate of an authority that is not trusted',
    tls: () => ({ ...leaf, cert: leaf.cert + intermediate.cert + root.cert }),
    ...failed,
    says: 'the certificate was issued by an authority that is not trusted: set that authority as `ca`',
  },
  {
    when: 'has a certificate that has expired',
    tls: () => ({ ...old, ca: old.cert }),
    ...failed,
    says: 'the certificate has expired: renew it',
  },
  {
    when: 'has a certificate for another name',
    tls: () => ({ ...other, ca: other.cert }),
    ...failed,
    says: 'the certificate is for another name: use one for the host name of the URL',
  },
  {
    when: 'requires a client certificate (TLS 1.3)',
    tls: () => ({ ...own, ca: own.cert, requestCert: true, minVersion: 'TLSv1.3' }),
    ...failed,
    phase: 'answer',
    says: NO_CLIENT,
  },
  {
    when: 'requires a client certificate (TLS 1.2)',
    tls: () => ({ ...own, ca: own.cert, requestCert: true, maxVersion: 'TLSv1.2' }),
    ...failed,
    says: 'the server ended the TLS handshake: it may require a client certificate (`client_certificate`), or offer no common cipher',
  },
  {
    when: 'speaks TLS 1.1 at most',
    tls: () => ({
      ...own,
      ca: own.cert,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'ALL:@SECLEVEL=0',
    }),
    ...failed,
    says: 'the server supports no accepted version of TLS: enable TLS 1.2 or 1.3',
  },
  {
    when: 'speaks HTTP/2 only (ALPN h2)',
    tls: () => ({ ...own, ca: own.cert, ALPNProtocols: ['h2'] }),
    ...failed,
    says: 'the server speaks HTTP/2 only: it has to accept HTTP/1.1 over TLS (ALPN http/1.1)',
  },
  {
    when: 'speaks HTTP/2 only, without TLS',
    answer: (socket) => {
      socket.end(Buffer.from('000000040000000000000008070000000000000000000000000002', 'hex'));
    },
    code: 'PROTOCOL_ERROR',
    says: 'the server speaks HTTP/2 only: it has to accept HTTP/1.1, which is what Millrace speaks',
  },
  {
    when: 'speaks no TLS where the URL is https://',
    scheme: 'https',
    timeoutMs: 2_000,
    connected: (socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad\r\n\r\n')),
    ...failed,
    says: 'the server does not speak TLS at this port: use http://, or the port at which it speaks TLS',
  },
  {
    when: 'answers in TLS where the URL is http://',
    answer: (socket) => socket.end(Buffer.from('15030100020246', 'hex')),
    code: 'PROTOCOL_ERROR',
    says: 'the server speaks TLS at this port: the URL has to begin with https://',
  },
];

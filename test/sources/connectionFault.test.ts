import { expect, test } from 'vitest';

import { connectionFault } from '../../src/sources/postgres/connectionFault.ts';
import { NotPostgres } from '../../src/sources/postgres/tlsOffer.ts';

const PLACE = { host: 'db.example.com', port: 5432, user: 'shop', database: 'orders' };
const withCode = (code: string, message = 'as it was said'): Error =>
  Object.assign(new Error(message), { code });

test.each<[Error, RegExp, RegExp]>([
  [withCode('ADDRESS_REFUSED'), /MILLRACE_ALLOW_CIDRS/u, /operator of Millrace/u],
  [withCode('ENOTFOUND'), /no host db\.example\.com/u, /the host in the URL/u],
  [withCode('EAI_AGAIN'), /could not be looked up/u, /DNS/u],
  [withCode('ECONNREFUSED'), /Nothing listens at db\.example\.com:5432/u, /port/u],
  [
    new AggregateError([withCode('ENETUNREACH'), withCode('ECONNREFUSED')]),
    /Nothing listens/u,
    /port/u,
  ],
  [withCode('EHOSTUNREACH'), /no way to/u, /firewall/u],
  [withCode('ETIMEDOUT'), /does not answer/u, /firewall/u],
  [new Error('timeout expired'), /does not answer/u, /firewall/u],
  [new Error('Query read timeout'), /does not answer/u, /firewall/u],
  [withCode('28P01'), /password for the role shop is wrong/u, /%40 for @/u],
  [
    withCode('28000', 'no pg_hba.conf entry for host "1.2.3.4", no encryption'),
    /no pg_hba\.conf entry/u,
    /sslmode=require/u,
  ],
  [withCode('28000', 'no pg_hba.conf entry for host "1.2.3.4"'), /refuses/u, /let.* shop log in/u],
  [withCode('3D000'), /no database orders/u, /path/u],
  [withCode('42501', 'permission denied'), /permission denied/u, /Grant/u],
  [withCode('53300', 'too many clients'), /are taken: too many clients/u, /max_connections/u],
  [withCode('57P03', 'the database system is starting up'), /starting up/u, /Wait/u],
  [new Error('The server does not support SSL connections'), /not offer TLS/u, /sslmode=disable/u],
  [new NotPostgres('x'), /is not Postgres/u, /port/u],
  [
    new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a non-empty string'),
    /the URL has none/u,
    /user:password/u,
  ],
  [
    withCode('08P01', 'unsupported startup parameter in options: search_path'),
    /a pool of connections/u,
    /address of the database itself/u,
  ],
  [new Error('Connection terminated unexpectedly'), /closed the connection/u, /log/u],
  [withCode('ECONNRESET', 'read ECONNRESET'), /closed the connection/u, /log/u],
  [
    withCode('CERT_HAS_EXPIRED', 'certificate has expired'),
    /^The certificate has expired/u,
    /sslmode/u,
  ],
  [withCode('XX000', 'something else'), /can't be used: something else\./u, /log/u],
  [withCode('EPROTO', ''), /^TLS failed \(EPROTO\)\.$/u, /sslmode/u],
])('%o is said in words, with what to do', (error, problem, advice) => {
  const words = connectionFault(error, PLACE);
  expect(words.problem).toMatch(problem);
  expect(words.advice).toMatch(advice);
  for (const text of Object.values(words)) expect(text).toMatch(/^[A-Z\w].*(?:\.|@…)$/u);
});
